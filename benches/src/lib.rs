//! What the benches share: synthetic journeys, and stores of them.
//!
//! The same number of customers gives the same interactions on every machine,
//! so that figures of two commits speak of the same work.

mod journeys;
pub mod measure;
mod noise;
mod store;

pub use journeys::{CHANNELS, Contact, FUNNEL, TOPICS, journeys};
pub use noise::Noise;
pub use store::{Store, customers, fill, interaction};
