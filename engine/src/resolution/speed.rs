//! How long a million pairs take. Run by hand:
//! `cargo test -p throughline-engine --release --lib resolution -- --ignored --nocapture`.

use std::time::Instant;

use super::*;
use crate::model::IdentityRef;

const PAIRS: u64 = 1_000_000;

/// splitmix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
fn noise(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn measure(what: &str, pairs: impl Fn(u64) -> (u32, u32)) {
    // Numbers of customers, telephones and addresses by turns, as they come in: not in order.
    let texts: Vec<String> = (0..2 * PAIRS)
        .map(|ordinal| match ordinal % 3 {
            0 => format!("crm:{}", noise(ordinal) % 10_000_000_000),
            1 => format!("phone:+4420{:08}", noise(ordinal) % 100_000_000),
            _ => format!("email:{:x}@mail.example", noise(ordinal)),
        })
        .collect();
    let guards = Guards::default();
    let began = Instant::now();
    let blocked: Vec<bool> = texts.iter().map(|text| guards.blocks(IdentityRef::stored(text))).collect();
    println!("{what}: blocked values in {:?}", began.elapsed());
    let evidence: Vec<Evidence> = (0..PAIRS)
        .map(|place| {
            let (one, other) = pairs(place);
            let said = if place % 3 == 0 { Said::Link } else { Said::Row };
            Evidence { one, other, said, confidence: (noise(place) % 5 * 250) as u16 }
        })
        .collect();
    let known = Known {
        text: &|ordinal| texts[ordinal as usize].as_str(),
        blocked: &|ordinal| blocked[ordinal as usize],
    };
    let began = Instant::now();
    let resolved = resolve(&evidence, &known, &guards);
    let accepted = resolved.pairs.iter().filter(|pair| pair.standing == Standing::Accepted).count();
    println!("{what}: {accepted} of {} pairs accepted in {:?}", resolved.pairs.len(), began.elapsed());
    assert!(accepted > 0);
}

#[test]
#[ignore = "measures, and takes a while"]
fn a_million_pairs() {
    measure("each customer with two identities", |place| (2 * place as u32, 2 * place as u32 + 1));
    measure("pairs at random", |place| {
        ((noise(place) % (2 * PAIRS)) as u32, (noise(!place) % (2 * PAIRS)) as u32)
    });
    measure("each identity with some twenty others", |place| {
        ((noise(place) % 100_000) as u32, (noise(!place) % 100_000) as u32)
    });
}
