//! petgraph views of what is small: a journey as a graph, the directly-follows graph.
