//! petgraph views of what is small: one customer's journey, the
//! directly-follows graph of all journeys, the components of identity links.
//!
//! Queries never run over these; they run over columns. A view is for what a
//! graph is the right form of: to be drawn (DOT), taken elsewhere (GraphML),
//! or asked for loops and dominators.

mod directly_follows;
mod drawing;
mod identities;
mod journey;
mod wording;

pub use directly_follows::{
    DirectlyFollows, FOLLOWS_EDGES_MAX, FollowsBuilder, FollowsEdge, FollowsNode, Gaps, Place,
    directly_follows,
};
pub use identities::identity_components;
pub use journey::{JourneyEdge, JourneyGraph, JourneyNode, journey, journey_of};
