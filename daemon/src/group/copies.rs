//! On how many computers a file is, at least.
//!
//! Nobody keeps a list of who holds which chunk, so the hosts that can be reached are asked (`Count`: how many of these chunks do you hold).
//! A count says who has all of them and not which he lacks. So a file is cut into pieces whose chunks have the same owners: of such a
//! piece an owner has all, or its copies are still under way. The file is on as many computers as the piece that is on the fewest: every
//! chunk is counted, none is guessed, and where a host has only some of a piece the figure is too low and never too high.
//!
//! ```text
//!  files ─ pieces │ a1 │ a2 │ b1 │ c1 │   one question for all; where a host has some and not all, one for each half, and so on
//! ```
//!
//! Mostly each host has all or nothing, and a page of files costs one question to each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::time::{Duration, Instant};

use chunkstore::ChunkId;
use ledger::identity::{DeviceId, DeviceTag};
use swarm::placement::{HostWeight, owners};
use tokio::sync::oneshot;
use ui::api::{CopyCounts, Refusal};
use vfs::{CopyFacts, Drive, FileSafety};

use super::Group;
use super::answers::{CHUNKS_ASKED_MAX, CHUNKS_IN_QUESTION};
use super::driver::Told;

/// Chunks of all files of one question; the first file may have more.
const CHUNKS_MAX: usize = 1 << 16;
/// Files are taken up for so long; those that were not by then are left out.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long hosts may take for one round of questions: a little longer than the swarm waits for them.
const ROUND_WAIT: Duration = Duration::from_secs(4);
/// Questions asked side by side; each counts for 512 chunks at least, and the swarm takes 32,768 in all.
const QUESTIONS_MAX: usize = 32;

/// Chunks of one file that the same hosts own.
struct Piece {
    file: usize,
    chunks: Vec<ChunkId>,
    owners: BTreeSet<DeviceId>,
    /// Hosts that have all of it.
    held: BTreeSet<DeviceId>,
}

impl Group {
    pub(super) fn copies_now(&self, paths: &[Vec<u8>]) -> Result<CopyCounts, Refusal> {
        let (drive, _) = self.drive()?;
        let (view, _) = self.view();
        let target = view.hosts.min(usize::from(view.copies.target));
        let wanted = target.max(usize::from(view.copies.min));
        let hosts = self.left(BTreeSet::new(), &view).hosts;
        let files = files_of(drive, paths);
        let mut placed = Placed { hosts, copies: usize::from(view.copies.target), known: HashMap::new() };
        let mut pieces: Vec<Piece> = Vec::new();
        for (at, (_, facts)) in files.iter().enumerate().filter(|(_, (_, facts))| !is_here_alone(facts)) {
            pieces.extend(placed.pieces(at, &facts.chunks));
        }
        self.ask_who_holds(&mut pieces);
        let mut counts: Vec<usize> = Vec::with_capacity(files.len());
        let mut clocks = Clocks { group: self, drive, known: HashMap::new() };
        for (_, facts) in &files {
            counts.push(if is_here_alone(facts) { 1 } else { clocks.copies(facts, wanted)? });
        }
        for piece in &pieces {
            let safe = files[piece.file].1.safety == FileSafety::Safe;
            let here =
                drive.store().have(&piece.chunks).map_err(|error| Refusal::Failed(error.to_string()))?;
            let here = here.iter().all(|held| *held);
            let own = self.device.id();
            // What is safe may be given up where it is not owned; what is not yet stays wherever it is.
            let counts_as = |host: &DeviceId| !safe || piece.owners.contains(host);
            let held = piece.held.iter().filter(|host| counts_as(host)).count();
            let copies = held + usize::from(here && counts_as(&own));
            counts[piece.file] = counts[piece.file].min(copies);
        }
        let counted = files.iter().zip(counts).map(|((place, _), copies)| (*place, copies as u64));
        Ok(CopyCounts { wanted: wanted as u64, counted: counted.collect() })
    }

    /// Finds out who has all of each piece.
    fn ask_who_holds(&self, pieces: &mut [Piece]) {
        let mut open: Vec<Range<usize>> = Vec::new();
        if !pieces.is_empty() {
            open.push(0..pieces.len());
        }
        let began = Instant::now();
        while !open.is_empty() && began.elapsed() < PATIENCE {
            let now: Vec<Range<usize>> = open.drain(..open.len().min(QUESTIONS_MAX)).collect();
            let asked: Vec<Vec<ChunkId>> =
                now.iter().map(|range| chunks_of(&pieces[range.clone()])).collect();
            for ((range, chunks), held) in now.into_iter().zip(&asked).zip(self.ask_side_by_side(&asked)) {
                let all = chunks.len() as u64;
                let whole: Vec<DeviceId> =
                    held.iter().filter(|(_, held)| **held == all).map(|(host, _)| *host).collect();
                for piece in &mut pieces[range.clone()] {
                    piece.held.extend(&whole);
                }
                let some = held.values().any(|held| *held > 0 && *held < all);
                if some && range.len() > 1 {
                    let middle = range.start + range.len() / 2;
                    open.extend([range.start..middle, middle..range.end]);
                }
            }
        }
    }

    /// How many of the chunks of each list the hosts that answer hold. Who answers for a part of a list only holds too few.
    fn ask_side_by_side(&self, lists: &[Vec<ChunkId>]) -> Vec<BTreeMap<DeviceId, u64>> {
        let mut held = vec![BTreeMap::new(); lists.len()];
        let parts = lists
            .iter()
            .enumerate()
            .flat_map(|(at, ids)| ids.chunks(CHUNKS_IN_QUESTION).map(move |ids| (at, ids)));
        let mut parts = parts.peekable();
        while parts.peek().is_some() {
            let (mut room, mut answers) = (CHUNKS_IN_QUESTION, Vec::new());
            while let Some((at, ids)) = parts.next_if(|(_, ids)| ids.len() <= room) {
                let (answer, answered) = oneshot::channel();
                room -= ids.len();
                self.tell.tell(Told::Holders { ids: ids.to_vec(), answer });
                answers.push((at, answered));
            }
            self.handle.block_on(async {
                let until = tokio::time::Instant::now() + ROUND_WAIT;
                for (at, answered) in answers {
                    // Who does not answer in time holds nothing, as far as is known.
                    let told = tokio::time::timeout_at(until, answered).await;
                    for (host, count) in told.ok().and_then(Result::ok).unwrap_or_default() {
                        *held[at].entry(host).or_default() += count;
                    }
                }
            });
        }
        held
    }
}

/// What is no version yet, and what nobody else was said to have.
fn is_here_alone(facts: &CopyFacts) -> bool {
    facts.unsettled || facts.safety == FileSafety::OnlyHere
}

/// What there is to count, by the place in the question.
fn files_of(drive: &Drive, paths: &[Vec<u8>]) -> Vec<(usize, CopyFacts)> {
    let (began, mut room, mut files) = (Instant::now(), CHUNKS_MAX, Vec::new());
    for (place, path) in paths.iter().enumerate() {
        let first = place == 0;
        if !first && (room == 0 || began.elapsed() >= PATIENCE) {
            break;
        }
        match drive.copy_facts(path, if first { CHUNKS_ASKED_MAX } else { room }) {
            Ok(Some(facts)) => {
                room = room.saturating_sub(facts.chunks.len());
                files.push((place, facts));
            }
            Ok(None) => {}
            // It went meanwhile, or its list is where nobody answers: it is left out, and asked for again by whoever wants to know.
            Err(error) => tracing::debug!(%error, "the copies of a file are not counted"),
        }
    }
    files
}

fn chunks_of(pieces: &[Piece]) -> Vec<ChunkId> {
    let mut chunks: Vec<ChunkId> = pieces.iter().flat_map(|piece| &piece.chunks).copied().collect();
    chunks.sort_unstable();
    chunks.dedup();
    chunks
}

/// Who owns what.
struct Placed {
    hosts: Vec<HostWeight>,
    copies: usize,
    /// By partition.
    known: HashMap<u16, BTreeSet<DeviceId>>,
}

impl Placed {
    fn pieces(&mut self, file: usize, chunks: &[ChunkId]) -> Vec<Piece> {
        let mut pieces: BTreeMap<BTreeSet<DeviceId>, Vec<ChunkId>> = BTreeMap::new();
        for chunk in chunks {
            pieces.entry(self.owners(chunk.partition())).or_default().push(*chunk);
        }
        let piece = |(owners, chunks)| Piece { file, chunks, owners, held: BTreeSet::new() };
        pieces.into_iter().map(piece).collect()
    }

    /// Next to a host that is full, what is new lies elsewhere than what is old: both own it.
    fn owners(&mut self, partition: u16) -> BTreeSet<DeviceId> {
        let (hosts, copies) = (&self.hosts, self.copies);
        let owned = self.known.entry(partition).or_insert_with(|| {
            let roomy: Vec<HostWeight> =
                hosts.iter().map(|host| HostWeight { full: false, ..host.clone() }).collect();
            owners(partition, hosts, copies).into_iter().chain(owners(partition, &roomy, copies)).collect()
        });
        owned.clone()
    }
}

/// Who has which changes.
struct Clocks<'a> {
    group: &'a Group,
    drive: &'a Drive,
    /// Where the clocks of an author's log stand at the others.
    known: HashMap<DeviceTag, Vec<u64>>,
}

impl Clocks<'_> {
    /// Computers whose logs hold the change that made this version.
    fn copies(&mut self, facts: &CopyFacts, wanted: usize) -> Result<usize, Refusal> {
        let Some(version) = facts.version else {
            // A name without content is nothing but a change: what is said of its log is all there is.
            return Ok(if facts.safety == FileSafety::Safe { wanted } else { 1 });
        };
        let stamp = version.0;
        if !self.known.contains_key(&stamp.device) {
            let clocks = self.at_others(stamp.device)?;
            self.known.insert(stamp.device, clocks);
        }
        let others = self.known[&stamp.device].iter().filter(|clock| **clock >= stamp.clock).count();
        Ok(others + 1)
    }

    fn at_others(&self, author: DeviceTag) -> Result<Vec<u64>, Refusal> {
        let own = self.group.device.id();
        let sequences: Vec<u64> = self.group.shared.with(|known| {
            let others = known.members.present().filter(|device| device.id != own);
            let frontiers = others.filter_map(|device| known.frontiers.get(&device.id));
            let of_author =
                frontiers.filter_map(|frontier| frontier.0.iter().find(|(device, _)| device.tag() == author));
            of_author.map(|(_, sequence)| *sequence).collect()
        });
        let mut clocks = Vec::with_capacity(sequences.len());
        for sequence in sequences {
            let clock = self.drive.clock_at(author, sequence);
            clocks.extend(clock.map_err(|error| Refusal::Failed(error.to_string()))?);
        }
        Ok(clocks)
    }
}
