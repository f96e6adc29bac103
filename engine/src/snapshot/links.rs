//! What was said about identities, as a reader may ask for it: the pairs of one customer with what
//! became of each, those that were refused, the rules that held, and how many there are of all.
//!
//! Nothing of it is kept: it is resolved from the log of what was said when somebody asks. For one
//! customer that takes what was said around it, found by going over the log some times; for all
//! refused pairs it takes all that was ever said.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use petgraph::algo::bridges::bridges;
use petgraph::graph::{EdgeIndex, NodeIndex, UnGraph};
use petgraph::visit::{Dfs, EdgeFiltered, EdgeRef};
use roaring::RoaringBitmap;

use super::Snapshot;
use crate::column::Column;
use crate::error::Result;
use crate::evidence::Entry;
use crate::guards::Guards;
use crate::limits::RANGE_CUSTOMERS;
use crate::model::{CustomerOrdinal, IdentityOrdinal, Millis};
use crate::resolution::{
    Evidence, FULL_CONFIDENCE, Known, PairStanding, ROW_CONFIDENCE, Resolved, Said, Standing, resolve,
};
use crate::schema::AttrId;
use crate::segment::Chosen;
use crate::strings::Strings;
use crate::ties::Ties;
use crate::versions::Which;

/// A pair of identities that something was said about, and what became of it.
///
/// Of all that was said about the pair it shows the saying that counts: the latest cut of one that
/// is cut; else that which its confidence comes from, the first recorded of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRow {
    /// The identity that comes first by rank, then by its bytes.
    pub one: IdentityOrdinal,
    /// The other.
    pub other: IdentityOrdinal,
    /// What was said.
    pub said: Said,
    /// How certain it is, in thousandths: 1 to 1,000; 0 for a cut.
    pub thousandths: u16,
    /// Who said so: a file, a program, a person, a statement; may be empty.
    pub source: Arc<str>,
    /// When it was recorded.
    pub recorded: Millis,
    /// What became of the pair. The identities in it are numbers as those of
    /// [`Snapshot::identity_name`].
    pub standing: Standing,
}

impl LinkRow {
    /// How certain it is, from 0.001 to 1; nothing for a cut.
    pub fn confidence(&self) -> Option<f64> {
        (self.thousandths > 0).then(|| f64::from(self.thousandths) / f64::from(FULL_CONFIDENCE))
    }
}

/// An identity among the pairs of a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkNode {
    /// Which.
    pub identity: IdentityOrdinal,
    /// The customer that it belongs to.
    pub customer: CustomerOrdinal,
    /// Interactions that came under it, where it is the customer's who was asked about.
    pub interactions: Option<u64>,
}

/// A pair among those of a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkEdge {
    /// What was said, and what became of it.
    pub row: LinkRow,
    /// Of an accepted pair without which the customer's identities would hang together no more (a
    /// bridge): how many interactions came under those that it alone holds to the identity by which
    /// the customer is shown. Others might still hold them once it is gone:
    /// [`Snapshot::without_link`] says what would really become of them.
    pub apart: Option<u64>,
}

/// What was said about the identities of one customer, as a graph: identities are nodes, pairs are
/// edges, each with what became of it. The accepted ones make the customer one component; at the
/// others' far ends are identities of other customers, and of nobody.
#[derive(Clone, Debug)]
pub struct LinkGraph {
    /// The customer.
    pub customer: CustomerOrdinal,
    /// Nodes: the customer's identities in ascending order, then those that pairs name beside.
    /// Edges: the pairs in the order in which they were resolved.
    pub graph: UnGraph<LinkNode, LinkEdge>,
    /// What it was resolved from.
    pub(super) around: Around,
}

impl LinkGraph {
    /// The pairs, in the order in which they were resolved.
    pub fn edges(&self) -> impl Iterator<Item = &LinkEdge> {
        self.graph.edge_weights()
    }

    /// The pair of these two identities, in either order: its place among [`LinkGraph::edges`].
    pub fn find(&self, one: IdentityOrdinal, other: IdentityOrdinal) -> Option<usize> {
        let is = |row: &LinkRow| [(one, other), (other, one)].contains(&(row.one, row.other));
        self.edges().position(|edge| is(&edge.row))
    }
}

/// How much was said, and what it came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounts {
    /// Identities, also those that were only named in a link.
    pub identities: u64,
    /// Customers of two or more identities.
    pub joined: u64,
    /// Pairs that rows or links speak for, refused ones included.
    pub links: u64,
    /// Pairs that were cut, and not linked since.
    pub cuts: u64,
    /// Of the links: pairs that were refused.
    pub refused: u64,
}

/// All that was said about some identities and about everybody who can be one customer with them.
#[derive(Clone, Debug, Default)]
pub(super) struct Around {
    /// Those of whom it is all.
    pub(super) identities: RoaringBitmap,
    /// Pair by pair, as far as it counts.
    pub(super) evidence: Vec<Evidence>,
    pub(super) blocked: RoaringBitmap,
}

impl Around {
    /// From what was said, in order.
    fn of(entries: &[Entry], some: &RoaringBitmap, texts: &Strings, guards: &Guards) -> Self {
        let mut identities = some.clone();
        for entry in entries.iter().filter(|entry| names_one_of(entry, some)) {
            identities.extend([entry.one.0, entry.other.0]);
        }
        loop {
            let near: Vec<Entry> =
                entries.iter().filter(|entry| names_one_of(entry, &identities)).copied().collect();
            let ties = Ties::of(&near, texts, guards);
            // Goes no further than one pair beyond those of whom all is known.
            let (region, _) = ties.region(&identities);
            if region == identities {
                let blocked = ties.identities().iter().filter(|&one| ties.is_blocked(one)).collect();
                return Self { identities, evidence: ties.evidence(), blocked };
            }
            identities = region;
        }
    }

    /// What it comes to, with one pair not said.
    pub(super) fn resolve(&self, without: Option<(u32, u32)>, texts: &Strings, guards: &Guards) -> Resolved {
        let known = Known {
            text: &|identity| texts.get(identity as usize),
            blocked: &|one| self.blocked.contains(one),
        };
        match without {
            None => resolve(&self.evidence, &known, guards),
            Some((one, other)) => {
                let is = |said: &Evidence| [(one, other), (other, one)].contains(&(said.one, said.other));
                let rest: Vec<Evidence> = self.evidence.iter().filter(|said| !is(said)).copied().collect();
                resolve(&rest, &known, guards)
            }
        }
    }
}

fn names_one_of(entry: &Entry, identities: &RoaringBitmap) -> bool {
    identities.contains(entry.one.0) || identities.contains(entry.other.0)
}

/// What was said about one pair: what may count, of each kind the first of the best.
#[derive(Clone, Copy, Debug, Default)]
struct Sayings {
    row: Option<Entry>,
    link: Option<Entry>,
    cut: Option<Entry>,
}

impl Sayings {
    fn note(&mut self, entry: Entry) {
        match entry.said {
            Said::Row => self.row = self.row.or(Some(entry)),
            Said::Link => {
                self.cut = None;
                if self.link.is_none_or(|link| link.confidence < entry.confidence) {
                    self.link = Some(entry);
                }
            }
            Said::Cut => (self.cut, self.link) = (Some(entry), None),
        }
    }

    /// The one that counts.
    fn counts(&self) -> Option<Entry> {
        let link = self.link.filter(|link| self.row.is_none() || link.confidence >= ROW_CONFIDENCE);
        self.cut.or(link).or(self.row)
    }
}

impl Snapshot {
    /// Every pair that was refused, in the order in which they were resolved. It resolves all that
    /// was ever said.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged) as [`Snapshot::read`].
    pub fn links_refused(&self) -> Result<Vec<LinkRow>> {
        let entries = self.entries()?;
        let refused =
            |pair: &PairStanding| !matches!(pair.standing, Standing::Accepted | Standing::Withdrawn);
        Ok(self.rows(&entries, self.resolved(&entries)?.pairs.into_iter().filter(refused)))
    }

    /// How much was said, and what it came to. It resolves all that was ever said.
    ///
    /// # Errors
    /// As [`Snapshot::links_refused`].
    pub fn link_counts(&self) -> Result<LinkCounts> {
        let resolved = self.resolved(&self.entries()?)?;
        let mut counts = LinkCounts {
            identities: u64::from(self.names.ordinals),
            joined: resolved.shown.len() as u64,
            ..LinkCounts::default()
        };
        for pair in &resolved.pairs {
            match pair.standing {
                Standing::Withdrawn => counts.cuts += 1,
                Standing::Accepted => counts.links += 1,
                _ => (counts.links, counts.refused) = (counts.links + 1, counts.refused + 1),
            }
        }
        Ok(counts)
    }

    /// Everything that was said about the identities of a customer, pair by pair: also with
    /// identities of others, and with such as join nobody.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// use throughline_engine::{Db, Identity, Interaction, Link, Standing};
    ///
    /// let db = Db::open(folder.path().join("contacts.db"))?;
    /// db.append([Interaction::new("phone:1", 0), Interaction::new("crm:42", 1)])?;
    /// let [phone, ann, bob] = ["phone:1", "crm:42", "crm:43"].map(|name| Identity::parse(name).expect("is one"));
    /// db.link([Link::new(phone.clone(), ann.clone())?, Link::new(phone, bob)?.with_confidence(0.7)?])?;
    /// let snapshot = db.snapshot();
    /// let links = snapshot.links_of(snapshot.resolve(&ann)?.expect("has come"))?;
    /// let told: Vec<_> = links.edges().map(|edge| (edge.row.confidence(), edge.apart)).collect();
    /// assert_eq!(told, [(Some(1.0), Some(1)), (Some(0.7), None)]);
    /// assert!(matches!(links.edges().nth(1).expect("is one").row.standing, Standing::Limit(..)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Snapshot::links_refused`].
    pub fn links_of(&self, customer: CustomerOrdinal) -> Result<LinkGraph> {
        let entries = self.entries()?;
        let customer = self.names.customers.of(IdentityOrdinal(customer))?;
        let own = self.identities_of(&RoaringBitmap::from_iter([customer]))?;
        // Where nothing was ever said no identity needs to be read.
        let (around, resolved) = if entries.is_empty() {
            Default::default()
        } else {
            let identities = self.names.identities.read()?;
            let (texts, guards) = (identities.strings(), self.guards());
            let around = Around::of(&entries, &own, texts, &guards);
            let resolved = around.resolve(None, texts, &guards);
            (around, resolved)
        };
        let touches = |pair: &PairStanding| own.contains(pair.one) || own.contains(pair.other);
        let rows = self.rows(&entries, resolved.pairs.into_iter().filter(touches));
        let interactions = self.interactions_by_identity(customer)?;
        let mut graph = UnGraph::default();
        let mut places: BTreeMap<u32, NodeIndex> = BTreeMap::new();
        let ends = rows.iter().flat_map(|row| [row.one.0, row.other.0]).filter(|end| !own.contains(*end));
        for identity in own.iter().chain(ends) {
            let of = self.names.customers.of(IdentityOrdinal(identity))?;
            let count = || interactions.get(&identity).copied().unwrap_or_default();
            places.entry(identity).or_insert_with(|| {
                let interactions = own.contains(identity).then(count);
                graph.add_node(LinkNode { identity: IdentityOrdinal(identity), customer: of, interactions })
            });
        }
        for row in rows {
            if let (Some(&one), Some(&other)) = (places.get(&row.one.0), places.get(&row.other.0)) {
                graph.add_edge(one, other, LinkEdge { row, apart: None });
            }
        }
        let shown = places.get(&self.names.customers.shown(customer)?.0);
        for (bridge, apart) in shown.map(|&shown| bridges_from(&graph, shown)).unwrap_or_default() {
            if let Some(edge) = graph.edge_weight_mut(bridge) {
                edge.apart = Some(apart);
            }
        }
        Ok(LinkGraph { customer, graph, around })
    }

    /// All that was said, in order.
    fn entries(&self) -> Result<Vec<Entry>> {
        let mut entries = self.links.all(&self.version.chunks)?;
        // Commits ascend; of an earlier instant the later ones are out of sight.
        entries.truncate(entries.partition_point(|entry| entry.commit <= self.commit));
        Ok(entries)
    }

    fn resolved(&self, entries: &[Entry]) -> Result<Resolved> {
        if entries.is_empty() {
            return Ok(Resolved::default());
        }
        let identities = self.names.identities.read()?;
        let (texts, guards) = (identities.strings(), self.guards());
        let ties = Ties::of(entries, texts, &guards);
        let known =
            Known { text: &|identity| texts.get(identity as usize), blocked: &|one| ties.is_blocked(one) };
        Ok(resolve(&ties.evidence(), &known, &guards))
    }

    /// Pairs with what was said about them that counts.
    fn rows(&self, entries: &[Entry], pairs: impl Iterator<Item = PairStanding>) -> Vec<LinkRow> {
        let unordered = |one: u32, other: u32| (one.min(other), one.max(other));
        let pairs: Vec<PairStanding> = pairs.collect();
        let mut sayings: HashMap<(u32, u32), Sayings> =
            pairs.iter().map(|pair| (unordered(pair.one, pair.other), Sayings::default())).collect();
        for entry in entries {
            if let Some(of_pair) = sayings.get_mut(&unordered(entry.one.0, entry.other.0)) {
                of_pair.note(*entry);
            }
        }
        let mut sources: HashMap<u32, Arc<str>> = HashMap::new();
        let row = |pair: PairStanding| {
            let counts = sayings.get(&unordered(pair.one, pair.other))?.counts()?;
            let source =
                sources.entry(counts.source).or_insert_with(|| self.links.source(counts.source).into());
            Some(LinkRow {
                one: IdentityOrdinal(pair.one),
                other: IdentityOrdinal(pair.other),
                said: counts.said,
                thousandths: pair.confidence,
                source: Arc::clone(source),
                recorded: counts.recorded,
                standing: pair.standing,
            })
        };
        pairs.into_iter().filter_map(row).collect()
    }

    fn interactions_by_identity(&self, customer: CustomerOrdinal) -> Result<BTreeMap<u32, u64>> {
        let range = customer / RANGE_CUSTOMERS;
        let chosen = Chosen::These(&[customer]);
        let (block, _) = self.read_chosen(range, &chosen, (&[AttrId::IDENTITY], false), Which::Current)?;
        let mut counts = BTreeMap::new();
        if let Some(Column::Int { values, .. }) = block.column(AttrId::IDENTITY) {
            values.iter().for_each(|&identity| *counts.entry(identity as u32).or_default() += 1);
        }
        Ok(counts)
    }
}

/// The bridges among accepted pairs that lead away from a node, each with the interactions beyond it.
fn bridges_from(graph: &UnGraph<LinkNode, LinkEdge>, from: NodeIndex) -> Vec<(EdgeIndex, u64)> {
    let is_accepted = |edge: &LinkEdge| edge.row.standing == Standing::Accepted;
    let accepted = graph.filter_map(|_, node| Some(*node), |place, edge| is_accepted(edge).then_some(place));
    let found: Vec<_> = bridges(&accepted).map(|edge| (edge.id(), *edge.weight())).collect();
    let beyond = |(bridge, place): (EdgeIndex, EdgeIndex)| {
        let rest = EdgeFiltered::from_fn(&accepted, |edge| edge.id() != bridge);
        let mut near = Dfs::new(&rest, from);
        while near.next(&rest).is_some() {}
        let far = accepted.node_indices().filter(|node| !near.discovered.contains(node.index()));
        // Identities of others have no count, and no accepted pair either.
        (place, far.filter_map(|node| accepted.node_weight(node)?.interactions).sum())
    };
    found.into_iter().map(beyond).collect()
}
