//! Bulk import: many batches that become visible by one commit.

mod said;

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::MutexGuard;

use crate::absorb::{Sorter, seal_sorted, take_rows};
use crate::batch::{Batch, check_recorded, check_time};
use crate::commit::{Writer, check_frames};
use crate::dedupe::{Arrivals, Spill};
use crate::disk::{Disk, DiskFile, How};
use crate::error::{Error, Result};
use crate::history::{FrameHeader, Position};
use crate::model::Millis;
use crate::records::{self, EraseRecord, FINAL, FrameRows, Source};
use crate::schema::{AttrId, AttrType, Role, Schema, Subject};
use crate::snapshot::Shown;
use crate::state::{DOMAIN_CUSTOMERS, DOMAIN_INTERACTIONS, Mark};
use crate::strings::Strings;
use said::SaidBefore;

/// Distinct rows whose number of occurrences is kept in memory.
const OCCURRENCES_IN_MEMORY: usize = 900_000;
/// Where counts of rows are spilled.
pub(crate) const SCRATCH: &str = "scratch-import";

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// The commit that made it visible; the last one there was where nothing was new.
    pub commit: u64,
    /// Interactions (or customer rows) added.
    pub added: u64,
    /// Rows that the store already had.
    pub duplicates: u64,
    /// Links added, and whatever else [`Import::say`] added.
    pub links: u64,
    /// Links that the store had already.
    pub links_left_out: u64,
    /// Pairs of identities that rows carried and none did before.
    pub pairs: u64,
    /// Rows left out because whose they are was erased.
    pub erased: u64,
    /// Interactions left out because they took place before what is kept.
    pub expired: u64,
    /// Erased identities that are known again.
    pub brought_back: u64,
    /// Interactions in the store now.
    pub interactions: u64,
    /// Customers in the store now.
    pub customers: u64,
}

/// A running import. Nothing of it is visible before [`Import::commit`], and
/// nothing remains of it when it is dropped before. No other write to the
/// store runs beside it.
pub struct Import<'db> {
    shown: &'db Shown,
    writer: MutexGuard<'db, Writer>,
    source: String,
    start: Position,
    commit: u64,
    /// What the state was: names, customers' attributes and keys come into it with the rows.
    before: Mark,
    declared: bool,
    sorter: Sorter,
    /// Of interactions, and of customers' rows.
    arrivals: [Arrivals; 2],
    /// Runs of the event-id index that were there before.
    runs_before: usize,
    spill: Scratch,
    added: u64,
    duplicates: u64,
    links: u64,
    links_left_out: u64,
    pairs: u64,
    /// What is asked whether a link was said before, once one is.
    said: Option<SaidBefore>,
    erased: u64,
    expired: u64,
    brings_back: bool,
    brought_back: u64,
    done: bool,
}

impl std::fmt::Debug for Import<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import")
            .field("source", &self.source)
            .field("added", &self.added)
            .finish_non_exhaustive()
    }
}

impl<'db> Import<'db> {
    pub(crate) fn begin(
        shown: &'db Shown,
        mut writer: MutexGuard<'db, Writer>,
        source: &str,
    ) -> Result<Self> {
        writer.check_writable()?;
        // Keys remembered from here on can then be forgotten as a whole.
        writer.seal()?;
        shown.show(&writer.state);
        let spill = Scratch { disk: Arc::clone(&writer.disk), file: None, len: 0 };
        Ok(Self {
            shown,
            source: source.to_owned(),
            start: writer.history.end(),
            commit: writer.last_commit + 1,
            before: writer.state.mark(),
            declared: false,
            sorter: Sorter::new(Arc::clone(&writer.disk), writer.options.memory_bytes),
            arrivals: [Arrivals::new(OCCURRENCES_IN_MEMORY), Arrivals::new(OCCURRENCES_IN_MEMORY)],
            runs_before: writer.state.seen.set.runs().len(),
            spill,
            added: 0,
            duplicates: 0,
            links: 0,
            links_left_out: 0,
            pairs: 0,
            said: None,
            erased: 0,
            expired: 0,
            brings_back: false,
            brought_back: 0,
            done: false,
            writer,
        })
    }

    /// The attributes as declared so far. A [`Batch`] is made for one schema;
    /// make a new one after declaring.
    pub fn schema(&self) -> &Schema {
        &self.writer.state.names.schema
    }

    /// Adds an attribute or widens its type; see [`Schema::declare`].
    ///
    /// # Errors
    /// As [`Schema::declare`].
    pub fn declare(
        &mut self,
        subject: Subject,
        name: &str,
        ty: AttrType,
        role: Option<Role>,
    ) -> Result<AttrId> {
        let mut schema = Schema::clone(self.schema());
        let (id, changed) = schema.declare(subject, name, ty, role)?;
        if changed {
            self.writer.state.set_schema(schema);
            self.declared = true;
        }
        Ok(id)
    }

    /// From here on rows of erased customers are taken, and end the erasure of the identities that
    /// they name. Otherwise they are left out and counted.
    pub fn bring_back(&mut self) {
        self.brings_back = true;
    }

    /// Takes a batch of interactions. A row whose event id the store has, or
    /// without one whose content it has as often as the source has shown it so
    /// far, is left out; so is one of a customer that was erased, and one that took place before what is kept ([`Db::retain`](crate::Db::retain)). Answers how many were left out. What
    /// a row says of its identities
    /// ([`Batch::also`]) counts also where the row is left out. When a row was recorded
    /// ([`Batch::recorded`]) is no part of its content.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a time before 1900 or past the horizon, and for a recording time before
    /// 1900 or in the future; disk errors.
    pub fn push(&mut self, batch: Batch) -> Result<u64> {
        self.take(batch, records::INTERACTIONS, DOMAIN_INTERACTIONS)
    }

    /// Takes rows of customer attributes: for each customer the latest row by
    /// total order that has a value decides, attribute by attribute. Attributes
    /// are those declared with [`Subject::Customer`].
    ///
    /// # Errors
    /// As [`Import::push`].
    pub fn push_customers(&mut self, batch: Batch) -> Result<u64> {
        self.take(batch, records::CUSTOMERS, DOMAIN_CUSTOMERS)
    }

    fn take(&mut self, mut batch: Batch, kind: u8, domain: u8) -> Result<u64> {
        self.writer.check_writable()?;
        if batch.is_empty() {
            return Ok(0);
        }
        let options = &self.writer.options;
        let now = options.clock.now();
        let latest = now.saturating_add(options.horizon_ms);
        for &time in &batch.times {
            check_time(time, latest)?;
        }
        for &recorded in batch.recorded.iter().flatten() {
            check_recorded(recorded, now)?;
        }
        let mut by_content: Vec<bool> = (0..batch.len()).map(|row| !batch.has_event_id(row)).collect();
        let taken = match domain {
            DOMAIN_CUSTOMERS => None,
            _ => self.writer.state.retained.takes(&batch.times),
        };
        taken.iter().try_for_each(|taken| batch.carry_nothing(taken))?;
        let carried = batch.take_carried(&self.writer.state.links.guards(u64::MAX))?;
        let mut frame = FrameRows::from_batch(batch);
        let (mut erased, mut expired) = (0, 0);
        if let Some(taken) = taken {
            expired = taken.iter().filter(|taken| !**taken).count() as u64;
            frame = frame.filtered(&taken);
            by_content =
                by_content.into_iter().zip(taken).filter_map(|(by, taken)| taken.then_some(by)).collect();
        }
        self.expired += expired;
        if !self.brings_back
            && let Some(keep) = self.writer.state.leave_out_erased(&mut frame)
        {
            erased = keep.iter().filter(|keep| !**keep).count() as u64;
            by_content =
                by_content.into_iter().zip(keep).filter_map(|(by, keep)| keep.then_some(by)).collect();
        }
        self.erased += erased;
        let mut digests = None;
        if by_content.contains(&true) {
            let all = self.writer.state.frame_digests(&frame);
            frame.occurrences = Some(self.occurrences(&frame, &all, &by_content, domain)?);
            digests = Some(all);
        }
        let keys = self.writer.state.keys_by(&frame, domain, digests.as_deref());
        let mut keep = self.keep(&keys, &by_content)?;
        let more = self.writer.state.keep_apart(&frame, &keys, &HashSet::new(), &mut keep)?;
        let duplicates = keep.iter().filter(|keep| !**keep).count();
        self.duplicates += duplicates as u64;
        if self.brings_back && !carried.pairs.is_empty() {
            self.lift(&carried.identities)?;
        }
        self.take_pairs(&carried)?;
        if duplicates == frame.len() {
            return Ok(duplicates as u64 + erased + expired);
        }
        let (mut frame, mut keys) = if duplicates == 0 {
            (frame, keys)
        } else {
            let keys = keys.into_iter().zip(&keep).filter(|(_, keep)| **keep).map(|(key, _)| key).collect();
            (frame.filtered(&keep), keys)
        };
        keys.extend(more);
        frame.number_from(self.writer.rows + self.added);
        self.writer.state.names.check_room(&frame.identities)?;
        let frames = [(kind, frame.encode()?)];
        check_frames(&frames)?;
        let [(_, body)] = frames;
        self.write_declared()?;
        self.lift(&frame.identities)?;
        let rows = frame.len() as u64;
        let recorded = self.write(kind, rows as u32, &body)?;
        let taken = self.add(frame, &keys, kind, recorded);
        self.poison_where_failed(taken)?;
        self.added += rows;
        Ok(duplicates as u64 + erased + expired)
    }

    /// Ends the erasure of those identities that are erased.
    fn lift(&mut self, identities: &Strings) -> Result<()> {
        let lifted = self.writer.state.kept_out(identities);
        if lifted.is_empty() {
            return Ok(());
        }
        self.write_declared()?;
        let record = EraseRecord::lift(lifted);
        self.write(records::ERASE, 0, &record.encode()?)?;
        self.brought_back += record.lifted.len() as u64;
        self.writer.state.take_erasure(&record, self.commit)
    }

    /// After an error history and state may differ: this must not be committed.
    fn poison_where_failed<T>(&mut self, done: Result<T>) -> Result<T> {
        done.inspect_err(|error| self.writer.poisoned = Some(error.to_string()))
    }

    /// Takes rows that are written into the state, as reading them back would.
    fn add(&mut self, frame: FrameRows, keys: &[Option<u128>], kind: u8, recorded: Millis) -> Result<()> {
        let state = &mut self.writer.state;
        state.remember(keys)?;
        if let Some(rows) = take_rows(state, frame, kind, self.commit, recorded, "a frame just written")? {
            state.note_present(&rows.customers);
            self.sorter.push(rows)?;
        }
        Ok(())
    }

    /// How often each row's content came before in this import; -1 for a row
    /// that is not told by its content.
    fn occurrences(
        &mut self,
        frame: &FrameRows,
        digests: &[u128],
        by_content: &[bool],
        domain: u8,
    ) -> Result<Vec<i64>> {
        let [interactions, customers] = &mut self.arrivals;
        let arrivals = if domain == DOMAIN_CUSTOMERS { customers } else { interactions };
        if !by_content.contains(&false) {
            let counts = arrivals.count_then_add(digests, &frame.times, &mut self.spill)?;
            return Ok(counts.into_iter().map(i64::from).collect());
        }
        let (digests, times): (Vec<u128>, Vec<i64>) = (digests.iter().zip(&frame.times).zip(by_content))
            .filter(|(_, asked)| **asked)
            .map(|((digest, time), _)| (*digest, *time))
            .unzip();
        let mut counts = arrivals.count_then_add(&digests, &times, &mut self.spill)?.into_iter();
        Ok(by_content
            .iter()
            .map(|asked| if *asked { counts.next().map_or(-1, i64::from) } else { -1 })
            .collect())
    }

    /// Which rows are new. The key of a content tells its occurrences apart, so
    /// that no other row of this import has it; an event id may come again.
    fn keep(&mut self, keys: &[Option<u128>], by_content: &[bool]) -> Result<Vec<bool>> {
        let of = |content: bool| -> Vec<u128> {
            let wanted = keys.iter().zip(by_content).filter(|(_, is)| **is == content);
            wanted.filter_map(|(key, _)| *key).collect()
        };
        let (contents, event_ids) = (of(true), of(false));
        let state = &mut self.writer.state;
        let chunks = Arc::clone(state.chunks());
        let mut contents = state.seen.in_first_runs(&chunks, &contents, self.runs_before)?.into_iter();
        let mut known = state.seen.contains(&chunks, &event_ids)?.into_iter();
        let mut earlier = HashSet::with_capacity(event_ids.len());
        Ok(keys
            .iter()
            .zip(by_content)
            .map(|(key, by_content)| match key {
                None => true,
                Some(_) if *by_content => !contents.next().unwrap_or(false),
                Some(key) => !known.next().unwrap_or(false) && earlier.insert(*key),
            })
            .collect())
    }

    /// Before the first rows: where they come from; before rows that need it: the schema.
    fn write_declared(&mut self) -> Result<()> {
        if self.writer.history.end() == self.start {
            let source = records::to_bytes(&Source { name: self.source.clone() })?;
            self.write(records::SOURCE, 0, &source)?;
        }
        if self.declared {
            let schema = records::to_bytes(self.schema())?;
            self.write(records::SCHEMA, 0, &schema)?;
            self.declared = false;
        }
        Ok(())
    }

    /// Writes a frame; answers when it was recorded.
    fn write(&mut self, kind: u8, rows: u32, body: &[u8]) -> Result<Millis> {
        let recorded = self.writer.options.clock.now();
        let header = FrameHeader { commit: self.commit, recorded, kind, rows };
        match self.writer.history.append(header, body) {
            Ok(_) => Ok(recorded),
            Err(error) => {
                self.writer.poisoned = Some(error.to_string());
                Err(error)
            }
        }
    }

    /// Makes all of it durable and visible. An import that says nothing new changes
    /// nothing, not even the schema.
    ///
    /// # Errors
    /// Disk and graph errors. After one the store must be reopened, and then
    /// shows either all of the import or nothing of it.
    pub fn commit(mut self) -> Result<ImportReport> {
        if self.writer.history.end() == self.start {
            let report = self.report();
            self.abandon()?;
            return Ok(report);
        }
        self.write_declared()?;
        let recorded = self.write(records::COMMIT | FINAL, 0, &[])?;
        if let Err(error) = self.writer.history.sync() {
            self.writer.poisoned = Some(error.to_string());
            return Err(error);
        }
        self.done = true;
        let end = self.writer.history.end();
        self.writer.acknowledged = end;
        self.writer.last_commit = self.commit;
        self.writer.rows += self.added;
        let state = &mut self.writer.state;
        state.recorded.note(self.commit, recorded, false, &[]);
        (state.commit, state.end) = (self.commit, end);
        self.spill.remove();
        let built = self.build();
        if let Err(error) = built {
            let why = format!(
                "the import is durable as commit {}, but the graph is not made: {error}",
                self.commit
            );
            self.writer.poisoned = Some(why.clone());
            return Err(Error::Poisoned(why));
        }
        self.shown.show(&self.writer.state);
        Ok(self.report())
    }

    fn report(&self) -> ImportReport {
        ImportReport {
            commit: self.writer.state.commit,
            added: self.added,
            duplicates: self.duplicates,
            links: self.links,
            links_left_out: self.links_left_out,
            pairs: self.pairs,
            erased: self.erased,
            expired: self.expired,
            brought_back: self.brought_back,
            interactions: self.writer.state.interactions(),
            customers: self.writer.state.present.len(),
        }
    }

    /// Seals what was imported.
    fn build(&mut self) -> Result<()> {
        let Writer { state, disk, options, .. } = &mut *self.writer;
        seal_sorted(state, &mut self.sorter, disk, options)?;
        self.writer.write_head()
    }

    fn abandon(&mut self) -> Result<()> {
        self.done = true;
        let sorted = self.sorter.end();
        self.writer.state.go_back(&self.before);
        self.spill.remove();
        // What sorting came to is not wanted any more, be it an error.
        drop(sorted);
        if self.writer.history.end() != self.start {
            let start = self.start;
            self.writer.history.truncate(start)?;
        }
        Ok(())
    }
}

impl Drop for Import<'_> {
    fn drop(&mut self) {
        if !self.done
            && let Err(error) = self.abandon()
        {
            self.writer.poisoned = Some(error.to_string());
        }
    }
}

/// A scratch file for the counts of rows.
struct Scratch {
    disk: Arc<dyn Disk>,
    file: Option<Box<dyn DiskFile>>,
    len: u64,
}

impl Scratch {
    /// What cannot be removed now is at the next opening.
    fn remove(&mut self) {
        if self.file.take().is_some() {
            drop(self.disk.remove_dir(SCRATCH));
        }
    }
}

impl Spill for Scratch {
    fn write(&mut self, bytes: &[u8]) -> Result<u64> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                self.disk.create_dir(SCRATCH)?;
                self.file.insert(self.disk.open(&format!("{SCRATCH}/rows"), How::Create)?)
            }
        };
        let offset = self.len;
        file.append(bytes)?;
        self.len += bytes.len() as u64;
        Ok(offset)
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let read = match &self.file {
            Some(file) => file.read_at(offset, buffer)?,
            None => 0,
        };
        if read == buffer.len() {
            Ok(())
        } else {
            Err(Error::damaged(format!("{SCRATCH}/rows"), offset, "the file is cut short"))
        }
    }
}
