//! Which identities belong together, by the links between them.

use petgraph::unionfind::UnionFind;

use crate::error::{Error, Result};

/// Gives each of the identities `0..identities` the least ordinal of its
/// component, where `links` are the edges. The answer depends on the set of
/// links alone, not on their order or direction; an identity without a link is
/// its own component.
///
/// Union-find with union by rank and path compression (Tarjan 1975), then one
/// pass to name the components: 5 bytes an identity, and 8 for the answer.
///
/// # Errors
/// [`Error::Invalid`] for a link to an identity that is not among them.
pub fn identity_components(links: &[(u32, u32)], identities: u32) -> Result<Vec<u32>> {
    let mut sets = UnionFind::<u32>::new(identities as usize);
    for &(one, other) in links {
        sets.try_union(one, other).map_err(|ordinal| {
            Error::invalid(format!("a link names identity {ordinal}, and there are {identities}"))
        })?;
    }
    // Ordinals come ascending, so the first met of each component is its least.
    let mut least = vec![u32::MAX; identities as usize];
    let mut components = Vec::with_capacity(identities as usize);
    for identity in 0..identities {
        let root = sets.find_mut(identity);
        let name = match least.get_mut(root as usize) {
            Some(name) => {
                *name = identity.min(*name);
                *name
            }
            None => identity,
        };
        components.push(name);
    }
    Ok(components)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(links: &[(u32, u32)], identities: u32, expected: &[u32]) {
        assert_eq!(identity_components(links, identities).expect("joins"), expected);
    }

    #[test]
    fn small_sets_of_links() {
        check(&[], 0, &[]);
        check(&[], 3, &[0, 1, 2]);
        check(&[(2, 2)], 3, &[0, 1, 2]);
        check(&[(4, 1), (3, 4)], 5, &[0, 1, 2, 1, 1]);
        check(&[(1, 2), (3, 4), (4, 2), (0, 5)], 6, &[0, 1, 1, 1, 1, 0]);
    }

    #[test]
    fn a_link_to_nobody_is_refused() {
        assert!(identity_components(&[(0, 2)], 2).is_err());
        assert!(identity_components(&[(2, 0)], 2).is_err());
        assert!(identity_components(&[(1, 0)], 2).is_ok());
    }

    /// Lowers ordinals along links until nothing changes.
    fn slowly(links: &[(u32, u32)], identities: u32) -> Vec<u32> {
        let mut components: Vec<u32> = (0..identities).collect();
        loop {
            let before = components.clone();
            for &(one, other) in links {
                let least = components[one as usize].min(components[other as usize]);
                components[one as usize] = least;
                components[other as usize] = least;
            }
            if components == before {
                return components;
            }
        }
    }

    proptest! {
        #[test]
        fn components_are_those_of_the_slow_way(links in prop::collection::vec((0..40_u32, 0..40_u32), 0..60)) {
            let found = identity_components(&links, 40).expect("joins");
            prop_assert_eq!(&found, &slowly(&links, 40));
            let turned: Vec<(u32, u32)> = links.iter().rev().map(|&(one, other)| (other, one)).collect();
            prop_assert_eq!(found, identity_components(&turned, 40).expect("joins"));
        }
    }
}
