//! Several clients at once, in all orders of the steps of their writes. Whatever the order, what is there in the end is
//! what the commands that said "done" would have made one after the other, those that failed having done all or
//! nothing.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cells_sandbox::{Config, Sandbox, Steps};

use crate::chance::end;

/// How long a client may take to come to its next step before it counts as one that waits for another client.
const BLOCKED: Duration = Duration::from_millis(400);

/// How long anything may take at all.
const PATIENCE: Duration = Duration::from_secs(120);

/// How large what goes in parts is: more than 1 MiB.
const LARGE: usize = 1200 << 10;

/// The number of scenes that run at the same time.
const SIDE_BY_SIDE: usize = 5;

/// Where all happens.
const FOLDER: &str = "common-files/orders";

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    /// Uploads this content to that name, replacing what is there or not, in parts or not.
    Put {
        name: &'static str,
        content: &'static str,
        force: bool,
    },
    /// The same in parts.
    Parts {
        name: &'static str,
        content: &'static str,
    },
    Remove(&'static str),
    Move(&'static str, &'static str),
}

/// Files by name.
type Files = BTreeMap<String, String>;

/// What a run has come to.
#[derive(Debug)]
struct Outcome {
    codes: Vec<i32>,
    errors: Vec<String>,
    /// What is there. A folder has the content `<folder>`, a node that is not finished `<temporary>`.
    files: Files,
    /// Who could go on at each step, and who did.
    steps: Vec<(Vec<usize>, usize)>,
    told: Vec<String>,
}

struct Table {
    sandbox: Sandbox,
    steps: Steps,
    here: tempfile::TempDir,
}

impl Table {
    fn new() -> Self {
        let sandbox = Sandbox::start(Config {
            job_effect_delay: Duration::ZERO,
            job_status_delay: Duration::ZERO,
            hash_delay: Duration::ZERO,
            ..Config::default()
        });
        let sandbox = sandbox.expect("a sandbox");
        let steps = sandbox.steps();
        Self { sandbox, steps, here: tempfile::tempdir().expect("a folder") }
    }

    fn start(&self, number: usize, op: Op) -> Child {
        let local = self.here.path().join(format!("source{number}"));
        let source = local.display().to_string();
        let place = |name: &str| format!("{FOLDER}/{name}");
        let mut words: Vec<String> = Vec::new();
        match op {
            Op::Put { name, content, force } => {
                fs::write(&local, content).expect("a file");
                words.extend(["scp".to_owned(), "-n".to_owned(), source, format!("cells://{}", place(name))]);
                words.extend(force.then(|| "-f".to_owned()));
            }
            Op::Parts { name, content } => {
                fs::write(&local, format!("{content}\n").repeat(LARGE / content.len())).expect("a file");
                let flags = ["--multipart-threshold", "1", "--part-size", "10", "-f"].map(str::to_owned);
                words.extend(["scp".to_owned(), "-n".to_owned(), source, format!("cells://{}", place(name))]);
                words.extend(flags);
            }
            Op::Remove(name) => words.extend(["rm".to_owned(), "-f".to_owned(), place(name)]),
            Op::Move(from, to) => words.extend(["mv".to_owned(), place(from), place(to)]),
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_cec"));
        command.env_clear().current_dir(self.here.path()).args(words);
        command.env("HOME", self.here.path()).env("CEC_KEYRING", "none").env("CEC_RETRY_MAX_BACKOFF", "20ms");
        command.env("CEC_URL", self.sandbox.url()).env("CEC_TOKEN", self.sandbox.token("admin"));
        command.env("CEC_HEADER", format!("X-Steps-Client: {number}")).env("CEC_TRANSFERS", "1");
        command.env("CEC_PARTS_CONCURRENCY", "1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("cec starts")
    }

    /// Runs the clients; `choices` says who goes on, by the number of the client; after them the first one does.
    fn run(&self, before: &[(&str, &str)], ops: &[Op], choices: &[usize]) -> Outcome {
        let tree = self.sandbox.tree();
        tree.remove(FOLDER);
        tree.mkdir(FOLDER).expect("a folder");
        for (name, content) in before {
            tree.put(&format!("{FOLDER}/{name}"), content).expect("a file");
        }
        self.steps.begin();
        let mut clients: Vec<Child> = ops.iter().enumerate().map(|(number, op)| self.start(number, *op)).collect();
        let (mut steps, mut told) = (Vec::new(), Vec::new());
        loop {
            let ready = self.settle(&mut clients, steps.is_empty());
            if ready.is_empty() {
                break;
            }
            let wanted = choices.get(steps.len()).copied().filter(|wanted| ready.contains(wanted));
            let chosen = wanted.unwrap_or(ready[0]);
            let waiting = self.steps.waiting();
            if let Some(stop) = waiting.iter().find(|stop| stop.client == chosen.to_string()) {
                told.push(format!("{chosen}: {:?} {}", stop.stage, stop.request));
            }
            self.steps.go(&chosen.to_string());
            steps.push((ready, chosen));
            assert!(steps.len() < 200, "no end of steps: {told:?}");
        }
        self.steps.end();
        let outputs: Vec<_> = clients.into_iter().map(|client| client.wait_with_output().expect("cec ends")).collect();
        Outcome {
            codes: outputs.iter().map(|output| output.status.code().unwrap_or(-1)).collect(),
            errors: outputs.iter().map(|output| String::from_utf8_lossy(&output.stderr).into_owned()).collect(),
            files: self.files(),
            steps,
            told,
        }
    }

    /// Waits until each client has ended, stands at a step, or seems to wait for another; gives those at a step.
    fn settle(&self, clients: &mut [Child], first: bool) -> Vec<usize> {
        let begun = Instant::now();
        loop {
            let waiting = self.steps.waiting();
            let stands = |number: usize| waiting.iter().any(|stop| stop.client == number.to_string());
            let ready: Vec<usize> = (0..clients.len()).filter(|number| stands(*number)).collect();
            let ended = |client: &mut Child| client.try_wait().expect("a state").is_some();
            let all = clients.iter_mut().enumerate().all(|(number, client)| stands(number) || ended(client));
            // At the start none can be waiting for another.
            let enough = !first && !ready.is_empty() && begun.elapsed() > BLOCKED;
            if all || enough {
                return ready;
            }
            assert!(begun.elapsed() < PATIENCE, "nothing moves; waiting: {waiting:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn files(&self) -> Files {
        let tree = self.sandbox.tree();
        let names = tree.list(FOLDER).into_iter().map(|name| name.trim_end_matches('/').to_owned());
        let content = |path: &str| {
            if tree.is_folder(path) {
                return "<folder>".to_owned();
            }
            if tree.etag(path).as_deref() == Some("temporary") {
                return "<temporary>".to_owned();
            }
            let text = String::from_utf8_lossy(&tree.read(path).unwrap_or_default()).into_owned();
            let first = text.lines().next().unwrap_or_default().to_owned();
            if text.lines().all(|line| line == first) { first } else { "<mixture>".to_owned() }
        };
        names.map(|name| (name.clone(), content(&format!("{FOLDER}/{name}")))).collect()
    }
}

/// What an operation makes of some files that were those at the start; `None` where it cannot succeed.
fn apply(start: &Files, files: &Files, op: Op) -> Option<Files> {
    let mut files = files.clone();
    match op {
        // What appears between its look and its write is replaced: the server has no write that minds.
        Op::Put { name, content, force } if !force && start.get(name).is_some_and(|there| there != content) => {
            return None;
        }
        Op::Put { name, content, .. } | Op::Parts { name, content } => {
            drop(files.insert(name.to_owned(), content.to_owned()));
        }
        Op::Remove(name) => drop(files.remove(name)?),
        Op::Move(from, to) => {
            let content = files.remove(from)?;
            if files.insert(to.to_owned(), content).is_some() {
                return None;
            }
        }
    }
    Some(files)
}

/// All that may be there in the end: each order of the operations, those that failed being left out or not.
fn possible(start: &Files, ops: &[(Op, i32)]) -> Vec<Files> {
    following(start, start, ops)
}

fn following(start: &Files, before: &Files, ops: &[(Op, i32)]) -> Vec<Files> {
    let mut all = Vec::new();
    if ops.is_empty() {
        all.push(before.clone());
    }
    for (index, (op, code)) in ops.iter().enumerate() {
        let mut rest = ops.to_vec();
        rest.remove(index);
        if *code != 0 {
            all.extend(following(start, before, &rest));
        }
        if let Some(after) = apply(start, before, *op) {
            all.extend(following(start, &after, &rest));
        }
        // The server takes a removal of what is moved away before it is carried out; `rm` says that nothing is left there.
        if let (Op::Remove(name), 0) = (op, code)
            && start.contains_key(*name)
            && !before.contains_key(*name)
        {
            all.extend(following(start, before, &rest));
        }
        // Where the name is taken meanwhile, the server chooses another one, and the command says so.
        if let (Op::Move(from, to), 8) = (op, code)
            && let Some(after) = apply(start, before, Op::Move(from, other_name(to)))
        {
            all.extend(following(start, &after, &rest));
        }
    }
    all
}

/// The name that the server chooses in place of one that is taken.
fn other_name(name: &str) -> &'static str {
    ["g-1", "h-1"].into_iter().find(|other| other.starts_with(name)).expect("a name of a scene")
}

/// Runs all orders, or the first `most` of them, or those until `end`; gives what is wrong.
fn explore(before: &[(&str, &str)], ops: &[Op], most: usize, end: Option<Instant>) -> (usize, Vec<String>) {
    let table = Table::new();
    let start: Files = before.iter().map(|(name, content)| ((*name).to_owned(), (*content).to_owned())).collect();
    let (mut waiting, mut count, mut wrong) = (vec![Vec::new()], 0, Vec::new());
    while let Some(choices) = waiting.pop() {
        if count == most || end.is_some_and(|end| Instant::now() > end) {
            break;
        }
        count += 1;
        let outcome = table.run(before, ops, &choices);
        // The other ways to go on, behind the choices that were made already.
        for (at, (ready, chosen)) in outcome.steps.iter().enumerate().skip(choices.len()) {
            for other in ready.iter().filter(|other| *other != chosen) {
                let made = outcome.steps[..at].iter().map(|(_, chosen)| *chosen);
                waiting.push(made.chain([*other]).collect());
            }
        }
        let ops: Vec<(Op, i32)> = ops.iter().copied().zip(outcome.codes.iter().copied()).collect();
        if !possible(&start, &ops).contains(&outcome.files) {
            let told = outcome.told.join("\n      ");
            wrong.push(format!("{ops:?}\n    there is {:?}\n    {:?}\n      {told}", outcome.files, outcome.errors));
        }
    }
    (count, wrong)
}

/// The files before, and what each client does.
type Scene = (&'static [(&'static str, &'static str)], &'static [Op]);

/// What is tried.
const SCENES: &[Scene] = &[
    (&[], &[put("f", "first", false), put("f", "second", false)]),
    (&[], &[put("f", "first", true), put("f", "second", true)]),
    (&[("f", "old")], &[put("f", "first", true), put("f", "second", true)]),
    (&[("f", "old")], &[put("f", "new", true), Op::Remove("f")]),
    (&[("f", "old")], &[put("f", "new", true), Op::Move("f", "g")]),
    (&[("f", "old")], &[Op::Move("f", "g"), Op::Move("f", "h")]),
    (&[("f", "old")], &[Op::Move("f", "g"), put("g", "new", false)]),
    (&[("f", "old")], &[Op::Move("f", "g"), Op::Remove("f")]),
    (&[], &[parts("f", "first"), parts("f", "second")]),
    (&[("f", "old")], &[parts("f", "new"), Op::Remove("f")]),
    (&[("f", "old")], &[parts("f", "first"), put("f", "second", true)]),
    (&[("f", "old")], &[parts("f", "new"), Op::Move("f", "g")]),
    (&[("f", "old")], &[put("f", "first", true), put("f", "second", true), Op::Remove("f")]),
];

const fn put(name: &'static str, content: &'static str, force: bool) -> Op {
    Op::Put { name, content, force }
}

const fn parts(name: &'static str, content: &'static str) -> Op {
    Op::Parts { name, content }
}

fn explore_all(most: usize, end: Option<Instant>) {
    // The clients wait most of the time, so scenes run side by side, each on a server of its own.
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let explore_scenes = || {
        while let Some((before, ops)) = SCENES.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (count, found) = explore(before, ops, most, end);
            println!("{ops:?}: {count} orders, {} wrong", found.len());
            found.iter().take(3).for_each(|found| println!("  {found}"));
            wrong.lock().expect("no panic").extend(found);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(explore_scenes);
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_clients_say_holds_in_the_first_orders() {
    explore_all(3, None);
}

#[test]
#[ignore = "some minutes; see `just chaos`"]
fn what_clients_say_holds_in_all_orders() {
    explore_all(400, Some(end()));
}

#[test]
fn only_what_some_order_makes_is_possible() {
    let start: Files = [("f".to_owned(), "old".to_owned())].into();
    let ops = [(put("f", "new", true), 0), (Op::Move("f", "g"), 0)];
    let file = |name: &str, content: &str| (name.to_owned(), content.to_owned());
    let all = possible(&start, &ops);
    assert!(all.contains(&[file("g", "new")].into()));
    assert!(all.contains(&[file("f", "new"), file("g", "old")].into()));
    assert!(!all.contains(&[file("f", "new")].into()) && !all.contains(&[file("f", "<folder>")].into()));
}
