//! Real processes, really killed: at random, and at every system call that
//! changes the disk.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use throughline_tests::ledger::{Act, Ledger, life};
use throughline_tests::store::open_patiently;

/// Set for a process that writes until it is killed: the store's folder.
const WRITES: &str = "THROUGHLINE_KILLED_WRITER";
/// Set for a process that lives one whole life: the store's folder.
const LIVES: &str = "THROUGHLINE_KILLED_LIFE";
/// Set to the number of the first batch that [`WRITES`] gives.
const FIRST: &str = "THROUGHLINE_FIRST_BATCH";

fn is_long() -> bool {
    std::env::var_os("THROUGHLINE_LONG").is_some()
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("the parent listens");
}

/// The processes that the tests below kill.
#[test]
fn child_that_writes() {
    if let Some(folder) = std::env::var_os(WRITES) {
        let db = open_patiently(Path::new(&folder)).expect("opens");
        let first: usize = std::env::var(FIRST).ok().and_then(|first| first.parse().ok()).unwrap_or(0);
        let mut ledger = Ledger::default();
        for number in first..first + 2_000 {
            let act = if number % 5 == 4 { Act::Import(number) } else { Act::Append(number) };
            say(&format!("\nTRY {number}"));
            ledger.act(&db, act).expect("is taken");
            say(&format!("\nACK {number}"));
            if number % 7 == 6 {
                ledger.act(&db, Act::Seal).expect("seals");
            }
        }
    }
    if let Some(folder) = std::env::var_os(LIVES) {
        let mut ledger = Ledger::default();
        let db = open_patiently(Path::new(&folder)).expect("opens");
        for act in life() {
            let (before, after) = match act {
                Act::Append(number) | Act::Import(number) => {
                    (format!("TRY {number}"), format!("ACK {number}"))
                }
                Act::Link(pair) => (format!("SAY {pair}"), format!("LINKED {pair}")),
                Act::Unlink(pair) => (format!("SAY {pair}"), format!("CUT {pair}")),
                Act::Seal | Act::Rebuild => Default::default(),
            };
            say(&format!("\n{before}"));
            ledger.act(&db, act).expect("is taken");
            say(&format!("\n{after}"));
        }
        db.close().expect("closes");
        say("\nDONE");
    }
}

fn child(variable: &str, store: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a test knows its own file"));
    arguments(&mut command).env(variable, store);
    command
}

fn arguments(command: &mut Command) -> &mut Command {
    command
        .args(["--exact", "kill::child_that_writes", "--nocapture", "--test-threads=1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
}

/// What the lines of a child say; answers whether it came to its end.
fn hear(line: &str, ledger: &mut Ledger) -> bool {
    let number = |text: &str| text.trim().parse::<usize>().ok();
    if let Some(number) = line.strip_prefix("TRY ").and_then(number) {
        ledger.unsure.insert(number);
    } else if let Some(number) = line.strip_prefix("ACK ").and_then(number) {
        ledger.settle(number);
    } else if let Some(pair) = line.strip_prefix("SAY ").and_then(number) {
        ledger.linked.insert(pair, None);
    } else if let Some(pair) = line.strip_prefix("LINKED ").and_then(number) {
        ledger.linked.insert(pair, Some(true));
    } else if let Some(pair) = line.strip_prefix("CUT ").and_then(number) {
        ledger.linked.insert(pair, Some(false));
    }
    line.trim() == "DONE"
}

fn kill(child: &mut Child) {
    // It may have ended by itself.
    let _ended = child.kill();
    child.wait().expect("ends");
}

/// Numbers that differ from run to run; the seed is in every message.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn random_kills_lose_nothing_acknowledged() {
    let kills = if is_long() { 200 } else { 40 };
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64);
    let mut dice = Dice(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let mut ledger = Ledger::default();
    let mut store = folder.path().join("store-0");
    let mut next = 0;
    let mut acknowledged = 0;
    for round in 0..kills {
        if round % 10 == 0 {
            store = folder.path().join(format!("store-{round}"));
            ledger = Ledger::default();
            next = 0;
        }
        let mut writer = child(WRITES, &store).env(FIRST, next.to_string()).spawn().expect("starts");
        let lines = BufReader::new(writer.stdout.take().expect("is piped")).lines();
        let target = dice.below(24);
        let pause = Duration::from_micros(dice.below(20_000));
        let mut heard = 0;
        let mut waited = false;
        for line in lines {
            let Ok(line) = line else { break };
            hear(&line, &mut ledger);
            heard += u64::from(line.starts_with("ACK "));
            if !waited && (heard >= target || target == 0) {
                waited = true;
                std::thread::sleep(pause);
                kill(&mut writer);
                // What it said before it died is still to be heard.
            }
        }
        kill(&mut writer);
        acknowledged += heard;
        let db = open_patiently(&store).unwrap_or_else(|error| panic!("seed {seed}, kill {round}: {error}"));
        ledger.verify(&db).unwrap_or_else(|fault| panic!("seed {seed}, kill {round}: {fault}"));
        if round % 10 == 9 {
            ledger.verify_in_use(&db).unwrap_or_else(|fault| panic!("seed {seed}, kill {round}: {fault}"));
        }
        next = ledger.held.iter().chain(&ledger.unsure).max().map_or(0, |last| last + 1);
    }
    assert!(acknowledged > kills, "the writers were hardly let write: {acknowledged}");
}

/// The calls that change a disk. Those that this machine does not have are passed over.
const CALLS: [&str; 12] = [
    "write",
    "pwrite64",
    "pwritev",
    "fsync",
    "fdatasync",
    "sync",
    "syncfs",
    "rename",
    "renameat2",
    "unlink",
    "unlinkat",
    "ftruncate",
];

#[test]
fn a_kill_at_every_system_call_that_changes_the_disk() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        eprintln!("skipped: strace is not installed");
        return;
    }
    // How long it may take altogether: some 500 kills take about three minutes on two cores.
    let seconds = std::env::var("THROUGHLINE_STRACE_SECONDS").ok().and_then(|text| text.parse().ok());
    let allowed = Duration::from_secs(seconds.unwrap_or(if is_long() { 3_600 } else { 300 }));
    let began = Instant::now();
    let mut kills: BTreeMap<&str, u32> = BTreeMap::new();
    // Breadth first: every call once, then every call twice, until a life ends unharmed.
    let mut open: Vec<&str> = CALLS.to_vec();
    for n in 1_u32.. {
        let mut further = Vec::new();
        for call in open {
            if began.elapsed() > allowed {
                eprintln!("stopped after {allowed:?} at {call} number {n}; kills so far: {kills:?}");
                return;
            }
            if killed_at(call, n) {
                *kills.entry(call).or_default() += 1;
                further.push(call);
            }
        }
        open = further;
        if open.is_empty() {
            break;
        }
    }
    assert!(kills.values().sum::<u32>() > 20, "hardly anything was killed: {kills:?}");
    eprintln!("kills: {kills:?}");
}

/// Lives a life that is killed at the `n`th `call` of a thread; answers whether
/// there was one. What was acknowledged must be there.
fn killed_at(call: &str, n: u32) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("store");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace=?{call}")]);
    command.args(["-e", &format!("inject=?{call}:signal=SIGKILL:when={n}")]);
    command.arg(std::env::current_exe().expect("a test knows its own file"));
    arguments(&mut command).env(LIVES, &store);
    let output = command.output().expect("starts");
    let mut ledger = Ledger::default();
    let mut done = false;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        done |= hear(line, &mut ledger);
    }
    if store.exists() {
        let db = open_patiently(&store).unwrap_or_else(|error| panic!("{call} number {n}: {error}"));
        ledger.verify_in_use(&db).unwrap_or_else(|fault| panic!("{call} number {n}: {fault}"));
    }
    !done
}
