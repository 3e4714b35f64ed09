//! How much memory walks of large trees take.

use std::io::{Read, Write as _};
use std::process::Child;
use std::time::{Duration, Instant};

use crate::support::World;

/// The most that a walk may take, in KiB.
const LIMIT: u64 = 64 * 1024;

/// The peak of a process's memory in KiB, as far as it still runs.
fn peak(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Runs a command to its end; gives the lines that it wrote and the peak of its memory.
fn run(world: &World, arguments: &[&str]) -> (usize, u64) {
    let mut child = world.cec(arguments.iter().copied()).spawn();
    drop(child.stdin.take());
    let mut output = child.stdout.take().expect("a pipe");
    let (mut lines, mut highest, mut buffer) = (0, 0, vec![0; 1 << 16]);
    loop {
        highest = highest.max(peak(&child).unwrap_or(0));
        match output.read(&mut buffer).expect("output") {
            0 => break,
            count => lines += buffer[..count].iter().filter(|byte| **byte == b'\n').count(),
        }
    }
    std::thread::sleep(Duration::from_millis(1));
    assert!(child.wait().expect("an end").success(), "{arguments:?}");
    (lines, highest)
}

fn walks(folders: usize, files: usize, big: usize) {
    let world = World::new();
    for number in 0..folders {
        world.tree().generate(&format!("common-files/t/f{number:03}"), files, 1).expect("files");
    }
    world.tree().generate("common-files/t/big", big, 1).expect("files");
    let nodes = folders * (files + 1) + big + 1;
    for (arguments, expected) in [
        (&["ls", "-R", "common-files/t"][..], nodes),
        (&["find", "common-files/t"], nodes + 1),
        (&["du", "common-files/t"], folders + 2),
        (&["tree", "-q", "common-files/t"], nodes + 1),
    ] {
        let begun = Instant::now();
        let (lines, peak) = run(&world, arguments);
        let _ = writeln!(std::io::stdout(), "{arguments:?}: {lines} lines, {peak} KiB, {:.1?}", begun.elapsed());
        assert_eq!(lines, expected, "{arguments:?}");
        assert!(peak < LIMIT, "{arguments:?} took {peak} KiB");
    }
}

#[test]
fn one_large_folder_is_never_had_whole() {
    walks(2, 10, 20_000);
}

#[test]
#[ignore = "some minutes; see `just soak`"]
fn a_third_of_a_million_nodes_take_little_memory() {
    walks(301, 1000, 9042);
}
