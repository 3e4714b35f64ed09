//! Archives, the news of jobs on the websocket, where restored things go, the index of names, quotas.

use std::time::{Duration, Instant};

use cells_client::api::jobs::JobStatus;
use cells_client::api::search::Search;
use cells_client::api::watch::{End, Watch};
use serde_json::json;

use crate::recycle::unique;
use crate::scenarios;
use crate::server::Server;

scenarios! {
    the_end_of_a_job_is_heard_before_it_is_written_down,
    a_run_of_the_servers_own_job_is_heard_by_whoever_set_it_off,
    a_folder_is_packed_without_its_name_and_unpacked_over_what_is_there,
    what_cannot_be_packed_or_unpacked_is_refused,
    a_restored_node_is_where_its_job_says,
    the_index_finds_names_below_a_folder,
    the_index_holds_words,
}

async fn run(server: &Server, name: &str, parameters: serde_json::Value) -> JobStatus {
    let mut watch = Watch::open(&server.api());
    watch.ready().await;
    let id = server.api().run_job(name, &parameters).await.expect("a job");
    match watch.end_of(&id, &[], |_| {}).await.expect("an end") {
        End::Ended(job) => job.status(),
        End::Forgotten => JobStatus::Finished,
        End::NotBegun => panic!("{name} does not begin"),
    }
}

async fn the_end_of_a_job_is_heard_before_it_is_written_down(server: &Server) {
    server.write("file", "hello").await;
    let mut watch = Watch::open(&server.api());
    watch.ready().await;
    assert!(watch.is_live(), "there is a websocket");
    let begun = Instant::now();
    let parameters = json!({"nodes": [server.path("file")], "target": server.path("copy"), "targetParent": false});
    let id = server.api().run_job("copy", &parameters).await.expect("a job");
    let End::Ended(job) = watch.end_of(&id, &[], |_| {}).await.expect("an end") else { panic!("the job is known") };
    assert_eq!((job.status(), job.id.clone()), (JobStatus::Finished, id.clone()));
    assert_eq!(job.target, Some(server.path("copy")));
    assert!(server.exists(&server.path("copy")).await, "its effect is there");
    // On a machine with much else to do both may take long.
    if begun.elapsed() < Duration::from_secs(2) {
        let polled = server.api().job(&id, &[]).await.expect("a job").map(|job| job.status());
        assert_ne!(polled, Some(JobStatus::Finished), "asking tells it later");
    }
}

async fn a_run_of_the_servers_own_job_is_heard_by_whoever_set_it_off(server: &Server) {
    let api = server.api();
    if api.data_source("pydiods1").await.is_err() {
        return server.left_out("the user is no administrator, or there is no data source 'pydiods1'");
    }
    let mut watch = Watch::open(&api);
    watch.ready().await;
    let id = api.resync("pydiods1").await.expect("a job");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !watch.known(&id).is_some_and(cells_client::api::jobs::Job::has_ended) {
        assert!(watch.news_until(deadline).await.is_some(), "nothing is heard of the end");
    }
    let task = watch.known(&id).and_then(|job| job.task.clone()).expect("a run");
    let entry = api.job_entry(&id.0).await.expect("an answer").expect("a job");
    assert_eq!(entry.owner, cells_client::api::scheduler::SYSTEM_USER);
    assert_ne!(task.owner, entry.owner);
}

async fn a_folder_is_packed_without_its_name_and_unpacked_over_what_is_there(server: &Server) {
    server.write("tree/a", "packed").await;
    server.write("tree/sub/b", "2").await;
    for format in ["zip", "tar", "tar.gz"] {
        let archive = server.path(&format!("made.{format}"));
        let parameters = json!({"nodes": [server.path("tree")], "archiveName": archive, "format": format});
        assert_eq!(run(server, "compress", parameters).await, JobStatus::Finished, "{format}");
        let target = format!("out-{format}/deep");
        let parameters = json!({"node": archive, "target": server.path(&target), "format": format});
        assert_eq!(run(server, "extract", parameters.clone()).await, JobStatus::Finished, "{format}");
        assert_eq!(server.names(&server.path(&target)).await, ["a", "sub"], "{format}");
        assert_eq!(server.read(&format!("{target}/a")).await, "packed");
        server.write(&format!("{target}/a"), "newer").await;
        assert_eq!(run(server, "extract", parameters).await, JobStatus::Finished, "{format}");
        assert_eq!(server.read(&format!("{target}/a")).await, "packed", "{format}");
    }
    let again = json!({"nodes": [server.path("tree")], "archiveName": server.path("made.zip"), "format": "zip"});
    assert_eq!(run(server, "compress", again).await, JobStatus::Finished);
    assert!(server.exists(&server.path("made-1.zip")).await, "never over what is there");
    for name in ["made", "made-1"] {
        let parameters = json!({"node": server.path(&format!("{name}.zip")), "target": "", "format": "zip"});
        assert_eq!(run(server, "extract", parameters).await, JobStatus::Finished);
        assert_eq!(server.names(&server.path(name)).await, ["a", "sub"], "{name}");
    }
}

async fn what_cannot_be_packed_or_unpacked_is_refused(server: &Server) {
    server.write("file", "hello").await;
    let start = async |name: &str, parameters: serde_json::Value| {
        server.put(&format!("/a/jobs/user/{name}"), &json!({"JsonParameters": parameters.to_string()})).await
    };
    let (file, made) = (server.path("file"), server.path("made.rar"));
    let reply = start("compress", json!({"nodes": [file], "archiveName": made, "format": "rar"})).await;
    assert!(reply.status == 500 && reply.text().contains("unsupported format"), "{reply:?}");
    let missing = json!({"nodes": [server.path("none")], "archiveName": made, "format": "zip"});
    start("compress", missing).await.says(403, "Forbidden: ");
    let none = json!({"node": server.path("none.zip"), "target": "", "format": "zip"});
    start("extract", none).await.says(404, "Not Found: ");
    let no_archive = json!({"node": file, "target": server.path("out"), "format": "zip"});
    assert_eq!(run(server, "extract", no_archive).await, JobStatus::Failed);
}

async fn a_restored_node_is_where_its_job_says(server: &Server) {
    let name = unique("restored");
    server.write(&format!("deep/{name}"), "x").await;
    let path = server.remote(&format!("deep/{name}"));
    let api = server.api();
    let before = api.stat(&path).await.expect("a node");
    api.delete(std::slice::from_ref(&path), false).await.expect("jobs");
    let bin = cells_client::path::RemotePath::root().join(path.workspace()).join("recycle_bin").join(&name);
    server.until("it is in the bin", async || api.find(&bin).await.is_ok_and(|node| node.is_some())).await;
    let mut watch = Watch::open(&api);
    watch.ready().await;
    let id = api.restore(&bin).await.expect("a job");
    let End::Ended(job) = watch.end_of(&id, &[], |_| {}).await.expect("an end") else { panic!("the job is known") };
    let target = job.target.expect("a target");
    let below = path.as_str().split_once('/').expect("a path").1;
    assert!(target.ends_with(below), "{target} and {below}");
    assert_eq!(api.stat(&path).await.expect("a node").uuid, before.uuid);
}

async fn the_index_finds_names_below_a_folder(server: &Server) {
    let name = unique("needle");
    server.write(&format!("sub/{name}.txt"), "x").await;
    let search = |below: &str| Search {
        name: Some(name.to_uppercase()),
        below: Some(if below.is_empty() { server.remote("") } else { server.remote(below) }),
        ..Search::default()
    };
    let found = async |below: &str| {
        let (mut pages, mut paths) = (server.api().search(search(below)), Vec::new());
        while let Some(page) = pages.page().await.expect("a page") {
            paths.extend(page.into_iter().map(|node| node.path.to_string()));
        }
        paths
    };
    let expected = vec![server.path(&format!("sub/{name}.txt"))];
    server.until("it is in the index", async || found("sub").await == expected).await;
    server.make(&server.path("other")).await;
    assert!(found("other").await.is_empty());
}

async fn the_index_holds_words(server: &Server) {
    for name in ["old-report.pdf", "My_Notes 2031.TAR.gz", "\u{6771}\u{4eac}.txt", ".dotted", "the.x"] {
        server.write(name, "x").await;
    }
    let found = async |field: &str, text: &str| {
        let query = json!({"Query": {field: text, "PathPrefix": [server.folder]}, "Size": 100});
        let reply = server.post("/a/search/nodes", &query).await;
        assert_eq!(reply.status, 200, "{text}: {reply:?}");
        let answer = reply.json();
        let names = answer["Results"].as_array().into_iter().flatten().filter_map(|node| node["Path"].as_str());
        let mut names: Vec<String> = names.filter_map(|path| Some(path.rsplit('/').next()?.to_owned())).collect();
        // The folder counts as being below itself.
        names.retain(|name| !server.folder.ends_with(name.as_str()));
        names.sort();
        names
    };
    server.until("all are in the index", async || found("FileName", "*").await.len() == 5).await;
    for (text, expected) in [
        ("REPORT", "old-report.pdf"),
        ("eport.p", "old-report.pdf"),
        ("old", "old-report.pdf"),
        ("old-report", ""),
        ("my_not", "My_Notes 2031.TAR.gz"),
        ("2031", "My_Notes 2031.TAR.gz"),
        ("\u{6771}", "\u{6771}\u{4eac}.txt"),
        ("\u{6771}\u{4eac}", ""),
        ("dotted", ".dotted"),
    ] {
        assert_eq!(found("FileName", text).await.join(" "), expected, "{text}");
    }
    assert_eq!(found("Extension", "GZ").await, ["My_Notes 2031.TAR.gz"]);
    assert!(found("Extension", "tar.gz").await.is_empty());
}
