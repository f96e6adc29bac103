//! petgraph views of what is small: one customer's journey, the
//! directly-follows graph of all journeys, the components of identity links.
//!
//! Queries run over columns; only what GRAPH adds up becomes a view. A view is
//! for what a graph is the right form of: to be drawn (DOT), taken elsewhere
//! (GraphML), or asked for loops, cheapest ways and dominators.

mod directly_follows;
mod drawing;
mod identities;
mod journey;
mod links;
mod wording;

pub use directly_follows::{
    DirectlyFollows, EdgeRow, FOLLOWS_EDGES_MAX, FollowsBuilder, FollowsEdge, FollowsLoop, FollowsNode,
    GapQuantiles, Gaps, Hop, Place, directly_follows, edges_to_dot, edges_to_graphml,
};
pub use identities::identity_components;
pub use journey::{JourneyEdge, JourneyGraph, JourneyNode, journey, journey_of};
pub use links::{PairRow, pairs_to_dot, pairs_to_graphml};
