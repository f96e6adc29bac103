//! Random queries of the whole grammar over a random store: each is read,
//! written and read again, planned, and answered alike on any number of
//! threads and whether or not the index is of use. And random text that is
//! nearly a query, which must fail cleanly.

mod broken;
mod expressions;
mod operators;
mod tape;
mod valid;
