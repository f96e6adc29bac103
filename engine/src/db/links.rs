//! Saying who is one customer, and who is not.

use super::{Commit, Db};
use crate::commit::Ticket;
use crate::error::Result;
use crate::guards::Guards;
use crate::links::{Link, check_two};
use crate::model::Identity;
use crate::records::links::{FrameLinks, GuardsRecord, Pair};
use crate::records::{self, FINAL};
use crate::resolution::Said;

impl Db {
    /// Says that pairs of identities are of one customer each, in one commit. Who is one customer
    /// follows from all that was ever said, by the rules of [`resolve`](crate::resolve); whoever
    /// turns out to be one has all interactions in one journey from then on. A link that the rules
    /// refuse is kept, and counts once better evidence leaves room for it.
    ///
    /// # Errors
    /// [`Error::Limit`](crate::Error::Limit) for more than a million links; as [`Db::append`].
    pub fn link(&self, links: impl IntoIterator<Item = Link>) -> Result<Commit> {
        self.check_may_write()?;
        let links: Vec<Link> = links.into_iter().collect();
        let pairs = links.iter().map(|link| Pair {
            one: link.one().as_str(),
            other: link.other().as_str(),
            said: Said::Link,
            confidence: link.thousandths,
            source: link.source(),
        });
        self.commit(Ticket::links(FrameLinks::from_pairs(pairs)?))
    }

    /// Says that two identities are not of one customer. They are kept apart from then on, whatever
    /// rows carry both, until a link joins them again; what lies between them is told apart by what
    /// else was said, and each customer has the interactions that came under its identities.
    /// `source` is who says so; it may be empty.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) where the two are one identity; as [`Db::append`].
    pub fn unlink(&self, one: &Identity, from: &Identity, source: &str) -> Result<Commit> {
        self.check_may_write()?;
        check_two(one, from)?;
        let (one, other) = (one.as_str(), from.as_str());
        let cut = Pair { one, other, said: Said::Cut, confidence: 0, source };
        self.commit(Ticket::links(FrameLinks::from_pairs([cut])?))
    }

    /// Sets the rules for joining identities. They hold for all that was said, before and after;
    /// only which identity an interaction came under stays what it was.
    ///
    /// # Errors
    /// As [`Db::append`].
    pub fn set_guards(&self, guards: &Guards) -> Result<Commit> {
        self.check_may_write()?;
        let record = GuardsRecord::of(guards);
        self.commit(Ticket::record(records::GUARDS & !FINAL, record.encode()?))
    }
}
