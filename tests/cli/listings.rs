//! Folders of sizes at which pages end, begin and overlap: whatever reads them sees each child once.

use std::fs;

use cells_sandbox::Fault;
use insta::assert_snapshot;
use serde_json::json;

use crate::support::World;

/// Visible and hidden children: around the older client's page of 100 and ours of 500.
const SIZES: [(usize, usize); 9] =
    [(99, 0), (100, 0), (101, 0), (200, 0), (1500, 0), (99, 1), (100, 100), (499, 2), (1500, 40)];

fn visible(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("file-{number:07}.bin")).collect()
}

fn hidden(count: usize) -> Vec<String> {
    (0..count).map(|number| format!(".hidden-{number:04}")).collect()
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[test]
fn folders_of_awkward_sizes_lose_and_double_nothing() {
    std::thread::scope(|scope| {
        for (count, dotted) in SIZES {
            scope.spawn(move || nothing_is_lost_or_doubled(count, dotted));
        }
    });
}

fn nothing_is_lost_or_doubled(count: usize, dotted: usize) {
    let world = World::new();
    let folder = "common-files/tree/many";
    world.tree().generate(folder, count, 1).expect("files");
    for name in hidden(dotted) {
        world.put(&format!("{folder}/{name}"), "x");
    }
    let told = |arguments: &[&str]| {
        let run = world.cec(arguments.iter().copied()).run();
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{arguments:?}");
        run.stdout
    };
    let (seen, all) = (visible(count), [hidden(dotted), visible(count)].concat());
    assert_eq!(lines(&told(&["ls", folder])), seen, "{count} {dotted}");
    assert_eq!(lines(&told(&["ls", "-a", folder])), all, "{count} {dotted}");
    assert_eq!(lines(&told(&["ls", &format!("{folder}/*")])), seen, "{count} {dotted}");
    assert_eq!(lines(&told(&["ls", "common-files/t*/m*/file-*"])).len(), count, "{count} {dotted}");
    let below = |names: &[String]| names.iter().map(|name| format!("many/{name}")).collect::<Vec<_>>();
    assert_eq!(lines(&told(&["ls", "-R", "common-files/tree"]))[1..], below(&seen), "{count} {dotted}");
    assert_eq!(lines(&told(&["ls", "-aR", "common-files/tree"]))[1..], below(&all), "{count} {dotted}");
    let json: Vec<serde_json::Value> = serde_json::from_str(&told(&["ls", "--json", folder])).expect("JSON");
    assert_eq!(json.len(), count, "{count} {dotted}");
    if dotted > 0 {
        assert_eq!(lines(&told(&["ls", &format!("{folder}/.*")])), hidden(dotted), "{count} {dotted}");
    }
    let stat: Vec<serde_json::Value> = serde_json::from_str(&told(&["stat", "--json", folder])).expect("JSON");
    assert_eq!(stat[0]["type"], "folder");
    told(&["scp", "-q", &format!("cells://{folder}"), "back"]);
    let mut back: Vec<String> = fs::read_dir(world.home().join("back"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    back.sort();
    assert_eq!(back, all, "{count} {dotted}");
    let removed = world.cec(["rm", "-f", &format!("{folder}/*")]).run();
    // A line for each, and one that says how many the pattern matches.
    assert_eq!((removed.code, removed.stderr.lines().count()), (0, count + 1), "{count} {dotted}");
    assert_eq!(world.tree().list(folder), hidden(dotted), "{count} {dotted}");
    assert_eq!(world.tree().list("common-files/recycle_bin").len(), count, "{count} {dotted}");
}

#[test]
fn what_has_come_is_shown_before_the_rest_is_there() {
    use std::io::{BufRead, BufReader};
    let world = World::new();
    world.tree().generate("common-files/many", 600, 1).expect("files");
    world.sandbox.faults().add(cells_sandbox::Fault::on("POST", "/a/meta/bulk").skip(1).hang().always());
    let mut child = world.cec(["ls", "common-files/many"]).spawn();
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    for name in visible(100) {
        assert_eq!(lines.next().expect("a line").expect("text"), name);
    }
    while world.sandbox.faults().hits() == 0 {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().expect("a kill");
    child.wait().expect("an end");
}

#[test]
fn a_number_of_entries_that_a_server_makes_up_is_not_waited_for() {
    let world = World::new();
    world.put("common-files/a", "");
    let bulk = || Fault::on("POST", "/a/meta/bulk/get").status(200);
    let first = json!({"Nodes": [], "Pagination": {"Total": i64::MAX}}).to_string();
    world.sandbox.faults().add(bulk().body("application/json", &first));
    world.sandbox.faults().add(bulk().body("application/json", "{}").always());
    let run = world.cec(["ls", "common-files"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: the server counts many more entries than it lists
      while: listing common-files
      hint: check the URL and anything in front of the server (proxy, sign-in page)
    [exit code 6]
    ");
    world.sandbox.faults().clear();
    let many = json!({"Facets": [{"FieldName": "NodeType", "Label": "file", "Count": i64::MAX}]}).to_string();
    let search = Fault::on("POST", "/a/search/nodes").status(200).body("application/json", &many);
    world.sandbox.faults().add(search.always());
    let run = world.cec(["search", "word"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: the server counts many more entries than it lists
      while: searching
      hint: check the URL and anything in front of the server (proxy, sign-in page)
    [exit code 6]
    ");
}
