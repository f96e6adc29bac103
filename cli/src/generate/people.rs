//! Customers beside their history: what a company knows of them.

use std::io::{self, Write};

use super::random::Random;

const PLANS: [&str; 3] = ["basic", "plus", "business"];
const REGIONS: [&str; 4] = ["north", "east", "south", "west"];

/// Apart from the stream that the customer's history is drawn from.
const STREAM: u64 = 1 << 40;

/// Writes every customer's plan and region as csv.
pub(crate) fn csv(out: &mut dyn Write, customers: u32, seed: u64) -> io::Result<()> {
    writeln!(out, "customer_id,ts,plan,region")?;
    for customer in 0..u64::from(customers) {
        let mut random = Random::new(seed, STREAM + customer);
        let plan = PLANS.get(random.weighted(&[0.6, 0.9, 1.0])).copied().unwrap_or_default();
        let region = REGIONS.get(random.below(4) as usize).copied().unwrap_or_default();
        writeln!(out, "crm:{},2024-07-01,{plan},{region}", 1_000_001 + customer)?;
    }
    Ok(())
}
