//! The one commit path: validate, frame, sync, acknowledge, show.
//!
//! Appenders queue; whoever gets the writer writes the frames of all that wait
//! and syncs once. A commit that was not synced is wholly absent: it is not in
//! memory, and reopening cuts it off.

mod located;

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::absorb::{Keys, absorb, settle, take_frame};
use crate::batch::{Batch, Interaction, check_time};
use crate::chunks::Chunks;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::head::Head;
use crate::history::{FrameHeader, History, Position};
use crate::limits::{BATCH_INTERACTIONS_MAX, FRAME_BYTES_MAX};
use crate::machine;
use crate::manifest::Manifest;
use crate::model::{Identity, Millis};
use crate::older::Older;
use crate::options::Options;
use crate::records::links::FrameLinks;
use crate::records::{self, EraseRecord, FINAL, FrameRows, RetainRecord, RetainedSaid};
use crate::retain::Retain;
use crate::schema::{Schema, Subject};
use crate::state::{DOMAIN_INTERACTIONS, State, frames_of_rows};
pub(crate) use located::{Located, LocatedEvent};

/// So much text is kept in memory however little memory there is.
const TAIL_TEXT_BYTES_MIN: usize = 1 << 20;

/// An acknowledged commit: durable when it is returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// Its number.
    pub number: u64,
    /// Interactions added.
    pub added: u64,
    /// Interactions left out because their event id was known.
    pub duplicates: u64,
    /// What was said about pairs of identities: links, cuts, rows that carried both where none did
    /// before.
    pub links: u64,
    /// Interactions left out because whose they are was erased.
    pub erased: u64,
    /// Interactions left out because they took place before what is kept.
    pub expired: u64,
}

/// What waits to be committed.
pub(crate) struct Ticket {
    work: Mutex<Option<Work>>,
    answer: Mutex<Option<Result<Commit>>>,
}

enum Work {
    Append(Vec<Interaction>),
    Record { kind: u8, body: Vec<u8> },
    Links(Box<FrameLinks>),
    Erase(Arc<Erasing>),
    Retain(Arc<Retaining>),
    Edits(Box<Located>),
}

/// A customer to be erased, and what became of it.
pub(crate) struct Erasing {
    pub identity: Identity,
    /// How many identities and interactions were taken out; none where nobody goes by the identity.
    pub taken_out: Mutex<Option<(u64, u64)>>,
}

/// How far back interactions are to be kept, and what that came to.
pub(crate) struct Retaining {
    pub retain: Retain,
    /// Before which time interactions were dropped, and how many.
    pub dropped: Mutex<Option<(Option<Millis>, u64)>>,
}

impl Ticket {
    fn new(work: Work) -> Arc<Self> {
        Arc::new(Self { work: Mutex::new(Some(work)), answer: Mutex::new(None) })
    }

    pub(crate) fn append(interactions: Vec<Interaction>) -> Arc<Self> {
        Self::new(Work::Append(interactions))
    }

    pub(crate) fn record(kind: u8, body: Vec<u8>) -> Arc<Self> {
        Self::new(Work::Record { kind, body })
    }

    pub(crate) fn links(links: FrameLinks) -> Arc<Self> {
        Self::new(Work::Links(Box::new(links)))
    }

    pub(crate) fn erase(erasing: &Arc<Erasing>) -> Arc<Self> {
        Self::new(Work::Erase(Arc::clone(erasing)))
    }

    pub(crate) fn retain(retaining: &Arc<Retaining>) -> Arc<Self> {
        Self::new(Work::Retain(Arc::clone(retaining)))
    }

    fn takes_out(&self) -> bool {
        matches!(*self.work.lock(), Some(Work::Erase(_) | Work::Retain(_)))
    }

    pub(crate) fn edits(edits: Located) -> Arc<Self> {
        Self::new(Work::Edits(Box::new(edits)))
    }

    pub(crate) fn take_answer(&self) -> Option<Result<Commit>> {
        self.answer.lock().take()
    }

    /// Gives the ticket an answer where it has none, so that nobody waits for ever.
    pub(crate) fn fail(&self, message: &str) {
        self.answer.lock().get_or_insert_with(|| Err(Error::Poisoned(message.to_owned())));
    }
}

/// A commit in the history that is not synced yet.
struct Written {
    ticket: Arc<Ticket>,
    commit: Commit,
    recorded: Millis,
    frames: Vec<(u8, Vec<u8>)>,
    keys: Vec<Option<u128>>,
    /// Numbers of identities that it erases.
    erased: Vec<u32>,
    /// What it drops.
    older: Option<Older>,
    end: Position,
}

/// What commits written in this round say that is not in the state yet.
struct Round {
    schema: Arc<Schema>,
    keys: HashSet<u128>,
    /// Pairs of identities that rows carried.
    pairs: HashSet<(String, String)>,
}

/// The writer: one a store, behind one lock.
pub(crate) struct Writer {
    pub disk: Arc<dyn Disk>,
    pub options: Options,
    pub history: History,
    pub state: State,
    pub graph: u64,
    pub store_id: [u8; 16],
    /// Commits given out so far, synced or not.
    pub last_commit: u64,
    /// Rows in the history, synced or not: the sequence of the next row without one.
    pub rows: u64,
    /// Why nothing more is written, once a write failed.
    pub poisoned: Option<String>,
    /// End of what is known to be durable.
    pub acknowledged: Position,
    /// Gone with the handle.
    pub alive: Arc<()>,
}

impl Writer {
    pub(crate) fn check_writable(&self) -> Result<()> {
        match &self.poisoned {
            Some(why) => Err(Error::Poisoned(why.clone())),
            None => Ok(()),
        }
    }

    /// Commits all of `tickets`, with one sync unless somebody is erased or something dropped. Answers whether there is
    /// something to show.
    pub(crate) fn commit_all(&mut self, tickets: Vec<Arc<Ticket>>) -> bool {
        let mut changed = false;
        let mut round = Vec::with_capacity(tickets.len());
        for ticket in tickets {
            // What there is of whom is looked up in the state, so all before must be in it.
            let alone = ticket.takes_out();
            if alone {
                changed |= self.commit_round(std::mem::take(&mut round));
            }
            round.push(ticket);
            if alone {
                changed |= self.commit_round(std::mem::take(&mut round));
            }
        }
        changed |= self.commit_round(round);
        changed && self.poisoned.is_none()
    }

    /// Commits all of `tickets` with one sync.
    fn commit_round(&mut self, tickets: Vec<Arc<Ticket>>) -> bool {
        let mut written: Vec<Written> = Vec::with_capacity(tickets.len());
        let mut round = Round {
            schema: Arc::clone(&self.state.names.schema),
            keys: HashSet::new(),
            pairs: HashSet::new(),
        };
        for ticket in tickets {
            let work = ticket.work.lock().take();
            let result = match work {
                Some(work) => self.write(work, &mut round),
                None => continue,
            };
            match result {
                Ok(Some(mut done)) => {
                    done.ticket = ticket;
                    written.push(done);
                }
                Ok(None) => {
                    let commit = Commit { number: self.state.commit, ..Commit::default() };
                    *ticket.answer.lock() = Some(Ok(commit));
                }
                Err(error) => *ticket.answer.lock() = Some(Err(error)),
            }
        }
        if written.is_empty() {
            return false;
        }
        if let Err(error) = self.history.sync() {
            let why = error.to_string();
            for done in &written {
                done.ticket.fail(&why);
            }
            self.poisoned = Some(why);
            return false;
        }
        self.acknowledged = self.history.end();
        for done in written {
            let (commit, ticket) = (done.commit, Arc::clone(&done.ticket));
            // What is durable is acknowledged. Where it cannot be shown, reopening will show it,
            // and nothing after it is shown before.
            if self.poisoned.is_none()
                && let Err(error) = self.apply(done)
            {
                self.poisoned = Some(format!("commit {} is durable but not shown: {error}", commit.number));
            }
            *ticket.answer.lock() = Some(Ok(commit));
        }
        if self.poisoned.is_none()
            && let Err(error) = settle(&mut self.state, &self.disk, &self.options)
        {
            let commit = self.last_commit;
            self.poisoned =
                Some(format!("what commit {commit} says of identities is durable but not shown: {error}"));
        }
        self.poisoned.is_none()
    }

    fn apply(&mut self, done: Written) -> Result<()> {
        self.state.remember(&done.keys)?;
        let commit = done.commit.number;
        for (kind, body) in done.frames {
            let what = "a record just written";
            if !done.erased.is_empty() {
                self.state.erase(&EraseRecord::decode(&body, what)?, commit, &done.erased)?;
                continue;
            }
            let header = FrameHeader { commit, recorded: done.recorded, kind, rows: 0 };
            if let Some(rows) = take_frame(&mut self.state, header, &body, what, Keys::Known)? {
                self.state.add_to_tail(rows)?;
            }
        }
        self.state.commit = commit;
        self.state.end = done.end;
        match done.older {
            Some(older) if !older.ranges.is_empty() => {
                self.state.drop_older(older)?;
                self.write_head()
            }
            _ => Ok(()),
        }
    }

    /// Writes the frames of one commit; `None` where there is nothing to commit.
    fn write(&mut self, work: Work, round: &mut Round) -> Result<Option<Written>> {
        self.check_writable()?;
        let number = self.last_commit + 1;
        let mut frames = Vec::new();
        let mut keys = Vec::new();
        let (mut added, mut duplicates, mut rows, mut links, mut erased, mut expired) = (0, 0, 0, 0, 0, 0);
        let (mut numbers, mut older) = (Vec::new(), None);
        let recorded = self.options.clock.now();
        let mut declared_now = None;
        let mut pairs_now = Vec::new();
        match work {
            Work::Record { kind, body } => frames.push((kind, body)),
            Work::Links(frame) if frame.is_empty() => return Ok(None),
            Work::Links(frame) => {
                self.state.check_not_erased(frame.one.texts.iter().chain(frame.other.texts.iter()))?;
                self.state.names.check_room(&frame.one.texts)?;
                self.state.names.check_room(&frame.other.texts)?;
                links = frame.len() as u64;
                frames.push((records::LINKS, frame.encode()?));
            }
            Work::Erase(erasing) => {
                let Some(found) = self.state.find_to_erase(erasing.identity.as_str(), number)? else {
                    return Ok(None);
                };
                let taken_out = (found.identities.len() as u64, found.record.interactions);
                *erasing.taken_out.lock() = Some(taken_out);
                frames.push((records::ERASE, found.record.encode()?));
                (keys, numbers) = (found.keys, found.identities);
            }
            Work::Retain(retaining) => {
                let cutoff = retaining.retain.cutoff(recorded)?;
                older = cutoff.map(|cutoff| self.state.find_older(cutoff)).transpose()?;
                let interactions = older.as_ref().map_or(0, |older| older.interactions);
                *retaining.dropped.lock() = Some((cutoff, interactions));
                let (retain, vacuumed) = (retaining.retain, interactions == 0);
                let said = RetainedSaid { retain, cutoff, interactions, vacuumed, removed: 0 };
                frames.push((records::RETAIN, RetainRecord::say(said).encode()?));
            }
            Work::Edits(edits) => {
                // They were looked for before the writer's turn came.
                self.state.check_not_erased(edits.events.iter().map(|event| event.identity.as_str()))?;
                self.state.check_kept(edits.events.iter().map(|event| event.time))?;
                let (frame, declared) = edits.frame(&round.schema)?;
                if let Some(declared) = declared {
                    frames.push((records::SCHEMA, records::to_bytes(&declared)?));
                    declared_now = Some(declared);
                }
                frames.push((edits.kind, frame.encode()?));
            }
            Work::Append(interactions) => {
                let (mut batch, declared) = self.batch(&interactions, &round.schema)?;
                let taken = self.state.retained.takes(&batch.times);
                taken.iter().try_for_each(|taken| batch.carry_nothing(taken))?;
                let carried = batch.take_carried(&self.state.links.guards(u64::MAX))?;
                let mut pairs = self.state.new_pairs(&carried)?;
                pairs.retain(|&(one, other)| !round.pairs.contains(&(one.to_owned(), other.to_owned())));
                self.state.names.check_room(batch.identities.strings())?;
                let mut frame = FrameRows::from_batch(batch);
                if let Some(taken) = taken {
                    expired = taken.iter().filter(|taken| !**taken).count() as u64;
                    frame = frame.filtered(&taken);
                }
                let all = frame.len();
                self.state.leave_out_erased(&mut frame);
                erased = (all - frame.len()) as u64;
                keys = self.state.keys(&frame, DOMAIN_INTERACTIONS);
                let mut keep = self.keep(&keys, &round.keys)?;
                let more = self.state.keep_apart(&frame, &keys, &round.keys, &mut keep)?;
                duplicates = keep.iter().filter(|keep| !**keep).count() as u64;
                if duplicates > 0 {
                    frame = frame.filtered(&keep);
                    keys =
                        keys.into_iter().zip(&keep).filter(|(_, keep)| **keep).map(|(key, _)| key).collect();
                }
                keys.extend(more);
                frame.number_from(self.rows);
                added = frame.len() as u64;
                rows = frame.len() as u32;
                links = pairs.len() as u64;
                if added == 0 && links == 0 {
                    return Ok(Some(Written {
                        ticket: Ticket::append(Vec::new()),
                        commit: Commit {
                            number: self.last_commit,
                            added,
                            duplicates,
                            links,
                            erased,
                            expired,
                        },
                        recorded,
                        frames,
                        keys: Vec::new(),
                        erased: numbers,
                        older,
                        end: self.history.end(),
                    }));
                }
                for frame in frames_of_rows(&pairs)? {
                    frames.push((records::LINKS, frame.encode()?));
                }
                pairs_now = pairs.iter().map(|&(one, other)| (one.to_owned(), other.to_owned())).collect();
                // A row that is left out still says whose identities it carried.
                if added > 0 {
                    if let Some(declared) = declared {
                        frames.push((records::SCHEMA, records::to_bytes(&declared)?));
                        declared_now = Some(declared);
                    }
                    frames.push((records::INTERACTIONS, frame.encode()?));
                }
            }
        }
        if let Some((kind, _)) = frames.last_mut() {
            *kind |= FINAL;
        }
        check_frames(&frames)?;
        for (kind, body) in &frames {
            let rows = if kind & !FINAL == records::INTERACTIONS { rows } else { 0 };
            let header = FrameHeader { commit: number, recorded, kind: *kind, rows };
            if let Err(error) = self.history.append(header, body) {
                self.poisoned = Some(error.to_string());
                return Err(error);
            }
        }
        if let Some(declared) = declared_now {
            round.schema = Arc::new(declared);
        }
        self.last_commit = number;
        self.rows += u64::from(rows);
        round.pairs.extend(pairs_now);
        round.keys.extend(keys.iter().flatten());
        Ok(Some(Written {
            ticket: Ticket::append(Vec::new()),
            commit: Commit { number, added, duplicates, links, erased, expired },
            recorded,
            frames,
            keys,
            erased: numbers,
            older,
            end: self.history.end(),
        }))
    }

    /// Which rows are new: their key is neither in the store, nor written in
    /// this round, nor that of an earlier row.
    fn keep(&mut self, keys: &[Option<u128>], written: &HashSet<u128>) -> Result<Vec<bool>> {
        let given: Vec<u128> = keys.iter().flatten().copied().collect();
        let chunks = Arc::clone(self.state.chunks());
        let mut known = self.state.seen.contains(&chunks, &given)?.into_iter();
        let mut earlier = HashSet::with_capacity(given.len());
        Ok(keys
            .iter()
            .map(|key| match key {
                None => true,
                Some(key) => {
                    let known = known.next().unwrap_or(false);
                    !known && !written.contains(key) && earlier.insert(*key)
                }
            })
            .collect())
    }

    /// The interactions as a batch, and the schema where they change it.
    fn batch(&self, interactions: &[Interaction], schema: &Schema) -> Result<(Batch, Option<Schema>)> {
        if interactions.len() > BATCH_INTERACTIONS_MAX {
            return Err(Error::Limit {
                what: "interactions in one append",
                value: interactions.len() as u64,
                limit: BATCH_INTERACTIONS_MAX as u64,
            });
        }
        let mut declared = schema.clone();
        let mut changed = false;
        let at = |place: usize, error: Error| Error::invalid(format!("interaction {}: {error}", place + 1));
        for (place, interaction) in interactions.iter().enumerate() {
            for (name, value) in &interaction.values {
                if declared.find(Subject::Interaction, name).is_none() {
                    declared
                        .declare(Subject::Interaction, name, value.attr_type(), None)
                        .map_err(|error| at(place, error))?;
                    changed = true;
                }
            }
        }
        let latest = self.options.clock.now().saturating_add(self.options.horizon_ms);
        let mut batch = Batch::new(&declared);
        for (place, interaction) in interactions.iter().enumerate() {
            let at = |error| at(place, error);
            let identity = Identity::parse(&interaction.identity).map_err(at)?;
            check_time(interaction.time, latest).map_err(at)?;
            batch.begin(&identity, interaction.time);
            for also in &interaction.also {
                let identity = Identity::parse(also).map_err(at)?;
                batch.also((&identity).into()).map_err(at)?;
            }
            if let Some(sequence) = interaction.sequence {
                batch.sequence(sequence);
            }
            for (name, value) in &interaction.values {
                if let Some(attribute) = declared.find(Subject::Interaction, name) {
                    batch
                        .set(attribute.id, value.as_ref())
                        .map_err(|error| at(Error::invalid(format!("{name}: {error}"))))?;
                }
            }
        }
        Ok((batch, changed.then_some(declared)))
    }

    /// Seals the tail once it is full.
    pub(crate) fn seal_if_full(&mut self) -> Result<()> {
        let full = self.state.unsealed_rows() >= self.options.tail_interactions
            || self.state.unsealed_text_bytes() >= (self.options.memory_bytes / 4).max(TAIL_TEXT_BYTES_MIN);
        if full { self.seal() } else { Ok(()) }
    }

    /// Writes what is in memory into the graph, then HEAD.
    pub(crate) fn seal(&mut self) -> Result<()> {
        self.check_writable()?;
        if self.state.end == self.state.version.manifest.covered && self.state.is_sealed() {
            return Ok(());
        }
        self.state.seal().inspect_err(|error| self.poisoned = Some(error.to_string()))?;
        self.write_head()
    }

    pub(crate) fn write_head(&mut self) -> Result<()> {
        let head = Head {
            store_id: self.store_id,
            acknowledged: self.acknowledged,
            commit: self.state.commit,
            graph: self.graph,
        };
        // What a failed sync leaves of a file is never certain, however often it is written again.
        head.write(&*self.disk).inspect_err(|error| self.poisoned = Some(error.to_string()))
    }

    /// Makes the graph anew from the history, in the next folder.
    pub(crate) fn rebuild(&mut self) -> Result<()> {
        let old = self.graph;
        let (state, graph) =
            rebuilt(&self.disk, &self.options, &self.history, self.store_id, old + 1, self.acknowledged)?;
        let unused = Arc::clone(self.state.chunks());
        self.state = state;
        self.graph = graph;
        self.poisoned = None;
        self.write_head()?;
        // Readers may still hold it; what a crash leaves is removed at the next opening.
        unused.remove_when_unused(&self.disk, &self.alive);
        Ok(())
    }
}

/// Refuses frames that the history would, before the first of them is written.
pub(crate) fn check_frames(frames: &[(u8, Vec<u8>)]) -> Result<()> {
    match frames.iter().map(|(_, body)| body.len()).find(|&len| len > FRAME_BYTES_MAX) {
        None => Ok(()),
        Some(len) => Err(Error::Limit {
            what: "bytes of one commit or batch in the history",
            value: len as u64,
            limit: FRAME_BYTES_MAX as u64,
        }),
    }
}

/// A graph made from the history up to `to`, in a folder of its own.
pub(crate) fn rebuilt(
    disk: &Arc<dyn Disk>,
    options: &Options,
    history: &History,
    store_id: [u8; 16],
    graph: u64,
    to: Position,
) -> Result<(State, u64)> {
    let folder = graph_folder(graph);
    disk.remove_dir(&folder)?;
    let chunks = open_chunks(disk, options, &folder)?;
    let mut state = State::new(chunks, store_id, history.start(), options.seal_threads())?;
    absorb(&mut state, disk, history, to, options, Keys::Remember)?;
    state.seal()?;
    Ok((state, graph))
}

/// The graph that HEAD names, as its manifest describes it. `covered` becomes what the manifest
/// says that the history holds, also where the rest of the graph is damaged.
pub(crate) fn load_graph(
    disk: &Arc<dyn Disk>,
    options: &Options,
    store_id: [u8; 16],
    graph: u64,
    covered: &mut Position,
) -> Result<State> {
    let folder = graph_folder(graph);
    if graph == 0 {
        return Err(Error::damaged(folder, 0, "a new store has none yet"));
    }
    let chunks = open_chunks(disk, options, &folder)?;
    let manifest = chunks
        .named(crate::manifest::KEY)?
        .ok_or_else(|| Error::damaged(folder.clone(), 0, "the manifest is missing"))?;
    let manifest = Manifest::decode(&manifest, &format!("{folder}/manifest"))?;
    if manifest.store_id != store_id {
        return Err(Error::damaged(folder, 0, "the graph is another store's"));
    }
    *covered = manifest.covered.max(*covered);
    State::load(chunks, manifest, options.seal_threads())
}

fn open_chunks(disk: &Arc<dyn Disk>, options: &Options, folder: &str) -> Result<Arc<Chunks>> {
    disk.create_dir(folder)?;
    let store = disk.open_graph(folder)?;
    Ok(Arc::new(Chunks::new(store, folder.to_owned(), options.cache(machine::memory()))))
}

pub(crate) fn graph_folder(graph: u64) -> String {
    format!("graph-{graph}")
}
