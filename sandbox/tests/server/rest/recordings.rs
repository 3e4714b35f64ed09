//! Every exchange that was recorded on a real server, and that this one covers, asked again.

use std::path::PathBuf;
use std::time::Duration;

use cells_sandbox::{Config, Sandbox, TokenKind};
use serde_json::{Value, json};

use crate::rest::shape::{Lists, differences};
use crate::rest::support::{Ask, start, wait_for};

/// Folder in which the recordings were made.
const FOLDER: &str = "common-files/A1/rec-1795454102";

/// Whose token a request carries.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Token {
    /// Of whoever the recording names; a bad one if it names nobody but carries one.
    Recorded,
    Admin,
    Bob,
    /// The recorded one, which the replacements have put a new one in the place of.
    Replaced,
    Expired,
    Garbage,
    /// Of admin, but for one path.
    Scoped(&'static str, bool),
}

/// Texts to replace in a recording, in the request and in the answer.
pub(crate) type Replacements = Vec<(&'static str, String)>;

/// A recording and what must be the case before it is asked again.
pub(crate) struct Case {
    file: &'static str,
    token: Token,
    prepare: fn(&Sandbox) -> Replacements,
    lists: Lists,
    config: fn() -> Config,
}

pub(crate) const fn case(file: &'static str, prepare: fn(&Sandbox) -> Replacements) -> Case {
    Case { file, token: Token::Recorded, prepare, lists: Lists::InOrder, config: quick }
}

impl Case {
    pub(crate) const fn by(mut self, token: Token) -> Self {
        self.token = token;
        self
    }

    const fn any_order(mut self) -> Self {
        self.lists = Lists::AnyOf;
        self
    }

    const fn with(mut self, config: fn() -> Config) -> Self {
        self.config = config;
        self
    }
}

fn quick() -> Config {
    Config {
        job_status_delay: Duration::ZERO,
        job_effect_delay: Duration::ZERO,
        hash_delay: Duration::ZERO,
        ..Config::default()
    }
}

/// Jobs that are never reported as finished while a test runs.
fn slow_news() -> Config {
    Config { job_status_delay: Duration::from_secs(3600), ..quick() }
}

/// Jobs that do not begin while a test runs.
fn slow_effect() -> Config {
    Config { job_effect_delay: Duration::from_secs(3600), ..quick() }
}

pub(crate) fn nothing(_: &Sandbox) -> Replacements {
    Vec::new()
}

/// The two folders most recordings list.
fn folders(sandbox: &Sandbox) -> Replacements {
    let tree = sandbox.tree();
    for name in ["a b.txt", "é#%.txt"] {
        tree.put(&format!("{FOLDER}/list/{name}"), " ").unwrap();
    }
    for number in 0..4 {
        tree.mkdir(&format!("{FOLDER}/list/d{number:02}")).unwrap();
    }
    for number in 1..4 {
        tree.put(&format!("{FOLDER}/hid/.h{number}"), " ").unwrap();
    }
    for number in 0..12 {
        tree.put(&format!("{FOLDER}/hid/f{number:02}.txt"), " ").unwrap();
    }
    Ask::post("/a/tree/create", &json!({"Nodes": [{"Path": format!("{FOLDER}/list")}]})).ok(sandbox);
    Vec::new()
}

/// A folder made by a request of its own, unlike one that is only implied, has no mode.
fn explicit_folders(sandbox: &Sandbox) -> Replacements {
    sandbox.tree().mkdir(&format!("{FOLDER}/list")).unwrap();
    sandbox.tree().mkdir(&format!("{FOLDER}/hid")).unwrap();
    folders(sandbox)
}

fn new_folder(sandbox: &Sandbox) -> Replacements {
    sandbox.tree().mkdir(&format!("{FOLDER}/new")).unwrap();
    Vec::new()
}

fn new_files(sandbox: &Sandbox) -> Replacements {
    sandbox.tree().put(&format!("{FOLDER}/new/f.txt"), " ").unwrap();
    sandbox.tree().put(&format!("{FOLDER}/new/g.txt"), "hello").unwrap();
    Vec::new()
}

fn job_files(sandbox: &Sandbox) -> Replacements {
    let tree = sandbox.tree();
    for path in ["del/e2.txt", "del/a.txt", "del/b.txt", "j/f.txt", "j/r1/keep2.txt"] {
        tree.put(&format!("common-files/A1/{path}"), " ").unwrap();
    }
    tree.mkdir("common-files/A1/del/sub").unwrap();
    Vec::new()
}

/// A copy that has been started; the recorded id stands for its id.
fn copied(sandbox: &Sandbox) -> Replacements {
    job_files(sandbox);
    let parameters = json!({
        "nodes": ["common-files/A1/del/e2.txt"],
        "target": "common-files/A1/del/sub2/e2copy.txt",
        "targetParent": false,
    });
    let id = put_job(sandbox, "copy", &parameters);
    vec![("copy-move-7e5d6a27-0020-415b-b3f8-a50ea9373338", id)]
}

fn copied_and_done(sandbox: &Sandbox) -> Replacements {
    let replacements = copied(sandbox);
    wait_for("the copy", || sandbox.tree().exists("common-files/A1/del/sub2/e2copy.txt"));
    replacements
}

/// A move of a whole workspace, as recorded.
fn moved_workspace(sandbox: &Sandbox) -> Replacements {
    sandbox.tree().put("common-files/e2copy.txt", " ").unwrap();
    let parameters = json!({"nodes": ["common-files"], "target": "personal-files", "targetParent": true});
    let id = put_job(sandbox, "move", &parameters);
    vec![("copy-move-e480c55f-38c5-4cc5-91d8-a4a390950ed9", id), ("\"Moving e2copy.txt\"", "\"Moving\"".to_owned())]
}

/// A folder moved into itself, whose task ends with an error.
fn failed_move(sandbox: &Sandbox) -> Replacements {
    job_files(sandbox);
    let parameters = json!({
        "nodes": ["common-files/A1/del"], "target": "common-files/A1/del/sub", "targetParent": true,
    });
    let id = put_job(sandbox, "move", &parameters);
    let poll = json!({"JobIDs": [id], "LoadTasks": "Error"});
    wait_for("the error", || Ask::post("/a/jobs/user", &poll).ok(sandbox)["Jobs"].is_array());
    vec![("copy-move-e480c55f-38c5-4cc5-91d8-a4a390950ed9", id)]
}

fn put_job(sandbox: &Sandbox, name: &str, parameters: &Value) -> String {
    let body = json!({"JsonParameters": parameters.to_string()});
    let answer = Ask::new("PUT", &format!("/a/jobs/user/{name}")).json(&body).ok(sandbox);
    answer["JobUuid"].as_str().unwrap().to_owned()
}

fn in_the_bin(sandbox: &Sandbox) -> Replacements {
    sandbox.tree().put("common-files/keep.txt", " ").unwrap();
    let nodes = json!({"Nodes": [{"Path": "common-files/keep.txt"}]});
    Ask::post("/a/tree/delete", &nodes).ok(sandbox);
    wait_for("the deletion", || sandbox.tree().exists("common-files/recycle_bin/keep.txt"));
    job_files(sandbox)
}

fn locked(sandbox: &Sandbox) -> Replacements {
    sandbox.tree().mkdir("common-files/A1").unwrap();
    sandbox.lock("common-files", Duration::from_secs(60)).unwrap();
    Vec::new()
}

fn documents(sandbox: &Sandbox) -> Replacements {
    for path in ["doc.txt", "scoped/in.txt", "outside/out.txt"] {
        sandbox.tree().put(&format!("common-files/A2/{path}"), " ").unwrap();
    }
    Vec::new()
}

/// A session whose cookie stands for the recorded one.
fn session(sandbox: &Sandbox) -> Replacements {
    let cookie = log_in(sandbox);
    vec![
        ("pydio=COOKIE", cookie.clone()),
        ("pydio=<SESSION_COOKIE_3>", cookie.clone()),
        ("pydio=<SESSION_COOKIE>", cookie),
    ]
}

/// A session whose first cookie has been used.
fn refreshed_session(sandbox: &Sandbox) -> Replacements {
    let cookie = log_in(sandbox);
    let refresh = json!({"AuthInfo": {"type": "refresh"}});
    let answer = Ask::post("/a/frontend/session", &refresh).header("Cookie", &cookie).send(sandbox);
    assert_eq!(answer.unwrap().status, 200);
    vec![("pydio=<SESSION_COOKIE>", cookie)]
}

fn log_in(sandbox: &Sandbox) -> String {
    let info = json!({"AuthInfo": {
        "type": "credentials", "login": "alice", "password": sandbox.password("alice"),
    }});
    let answer = Ask::post("/a/frontend/session", &info).send(sandbox).unwrap();
    let cookie = answer.header("set-cookie");
    cookie.split(';').next().unwrap().to_owned()
}

pub(crate) fn passwords(sandbox: &Sandbox) -> Replacements {
    vec![
        ("\"PASSWORD\"", format!("{:?}", sandbox.password("alice"))),
        ("\"P@ssw0rd!\"", format!("{:?}", sandbox.password("admin"))),
    ]
}

/// A user who has sent ten wrong passwords; alice stands for the recorded one.
pub(crate) fn locked_user(sandbox: &Sandbox) -> Replacements {
    let info = json!({"AuthInfo": {"type": "credentials", "login": "alice", "password": "wrong"}});
    for _ in 0..10 {
        Ask::post("/a/frontend/session", &info).send(sandbox).unwrap();
    }
    vec![("\"a2lock\"", "\"alice\"".to_owned())]
}

const READING: &[Case] = &[
    case("rest/01-root-list-admin", nothing).any_order(),
    case("rest/02-root-list-alice", nothing).any_order(),
    case("rest/03-root-star-without-slash", nothing),
    case("rest/05-stat-folder", explicit_folders),
    case("rest/06-stat-file-encoded", folders),
    case("rest/07-stat-missing-node", folders),
    case("rest/08-stat-missing-workspace", nothing),
    case("rest/09-stat-forbidden-workspace", nothing),
    case("rest/10-stat-double-slash", nothing),
    case("rest/11-stat-root", nothing),
    case("rest/12-list-folder", explicit_folders),
    case("rest/13-list-limit-page1", folders),
    case("rest/14-list-limit-page3", folders),
    case("rest/15-list-sorted", folders),
    case("rest/16-list-filter-leaf", folders),
    case("rest/17-list-hidden-page1", folders),
    case("rest/18-list-hidden-page2", folders),
    case("rest/19-stat-hidden", folders),
    case("rest/20-list-missing-folder", folders),
    case("rest/21-bulk-missing-nodes-skipped", explicit_folders),
    case("rest/22-list-of-a-file", folders),
    case("rest/24-admin-list-alice", folders),
];

const RULES: &[Case] = &[
    case("rest/25-bad-json", nothing),
    case("rest/26-unknown-field", nothing),
    case("rest/27-wrong-content-type", nothing),
    case("rest/28-accept-xml-empty-body", nothing),
    case("rest/29-method-not-allowed", nothing),
    case("rest/30-unknown-endpoint", nothing),
    case("rest/31-unknown-service-html", nothing),
];

const WRITING: &[Case] = &[
    case("rest/32-create-one-folder", nothing),
    case("rest/33-create-existing-folder", new_folder),
    case("rest/34-create-missing-parents", nothing),
    case("rest/35-create-file", new_folder),
    case("rest/36-create-file-contents", new_folder),
    case("rest/37-create-folder-on-file", new_files),
    case("rest/38-create-file-on-folder", new_folder),
    case("rest/39-create-no-workspace", nothing),
    case("rest/40-create-readonly", nothing),
    case("rest/41-create-nothing", nothing),
    case("rest/42-create-name-256", nothing),
    case("rest/112-delete-to-bin", job_files),
    case("rest/113-delete-permanently", job_files),
    case("rest/114-delete-missing", job_files),
    case("rest/115-delete-workspace-root", job_files),
    case("rest/116-restore", in_the_bin),
    case("rest/117-restore-not-in-bin", in_the_bin),
    case("rest/118-locked-423-as-500", locked),
];

const JOBS: &[Case] = &[
    case("rest/94-job-copy", job_files),
    case("rest/95-job-poll-no-task", copied).with(slow_effect),
    case("rest/96-job-poll-finished", copied_and_done),
    case("rest/97-job-poll-running", moved_workspace).with(slow_news),
    case("rest/98-job-stop", moved_workspace),
    case("rest/101-job-tasks-delete", nothing),
    case("rest/102-job-poll-unknown-job", nothing),
    case("rest/103-job-copy-missing-node", job_files),
    case("rest/104-job-copy-no-target", job_files),
    case("rest/105-job-unknown-name", nothing),
    case("rest/106-job-missing-params", nothing),
    case("rest/111-job-remote-download", nothing),
    case("rest/119-jobs-service-down", nothing),
];

const SERVER: &[Case] = &[
    case("rest/76-discovery-anonymous", nothing),
    case("rest/77-discovery-admin", nothing),
    case("rest/78-discovery-alice", nothing),
    case("rest/87-auth-none", nothing),
    case("rest/88-auth-garbage", nothing),
    case("rest/89-auth-expired-pat", nothing).by(Token::Expired),
    case("rest/90-auth-garbage-on-public-endpoint", nothing),
    case("rest/91-document-token", new_files),
    case("auth/66-rest-bearer-PAT", common_files_used).by(Token::Admin),
    case("auth/66-rest-bearer-expired-like", nothing).by(Token::Garbage),
    case("auth/66-rest-bearer-garbage", nothing).by(Token::Garbage),
    case("auth/66-rest-bearer-id", nothing).by(Token::Garbage),
    case("auth/66-rest-bearer-refresh", nothing).by(Token::Garbage),
    case("auth/68-rest-no-auth", nothing),
    case("auth/79-rest-revoke-self", nothing).by(Token::Admin),
    case("auth/80-rest-revoke-access", nothing).by(Token::Admin),
    case("auth/110-rest-document-token", documents).by(Token::Admin),
    case("auth/111-rest-document-token-404", documents).by(Token::Admin),
    case("auth/115-rest-expired-pat", nothing).by(Token::Expired),
    case("auth/125-discovery-anonymous", nothing),
    case("auth/126-discovery-bad-token", nothing).by(Token::Garbage),
    case("auth/127-discovery-auth", nothing).by(Token::Admin),
];

/// Tokens for the file `doc.txt` or for the folder `scoped`, used elsewhere.
const SCOPED: &[Case] = &[
    scoped("auth/112-scoped-REST-doc-stat-in", "doc.txt", true),
    scoped("auth/112-scoped-bogus-scope-stat-in", "no-such-node", true),
    scoped("auth/112-scoped-doc-rw-stat-in", "doc.txt", true),
    scoped("auth/112-scoped-folder-r-stat-in", "scoped", false),
    scoped("auth/112-scoped-folder-rw-stat-in", "scoped", true),
    scoped("auth/113-scoped-REST-doc-stat-out", "doc.txt", true),
    scoped("auth/113-scoped-bogus-scope-stat-out", "no-such-node", true),
    scoped("auth/113-scoped-doc-rw-stat-out", "doc.txt", true),
    scoped("auth/113-scoped-folder-r-stat-out", "scoped", false),
    scoped("auth/113-scoped-folder-rw-stat-out", "scoped", true),
];

const SESSIONS: &[Case] = &[
    case("rest/82-session-login", passwords),
    case("rest/83-session-refresh", session),
    case("rest/84-session-logout", session).by(Token::Bob),
    case("rest/85-session-wrong-password", nothing),
    case("rest/86-session-refresh-without-cookie", nothing),
    case("auth/13-session-challenge-wrong-password", nothing),
    case("auth/90-session-password-ok", passwords),
    case("auth/91-session-refresh-ok", session),
    case("auth/92-session-refresh-no-cookie", nothing),
    case("auth/93-session-refresh-old-cookie", refreshed_session),
    case("auth/94-session-logout", session),
    case("auth/96-session-wrong-password", nothing),
    case("auth/97-session-unknown-user", nothing),
    case("auth/98-session-no-type", nothing),
    case("auth/99-session-external-no-cookie", nothing),
    case("auth/100-session-locked-user", locked_user),
];

const fn scoped(file: &'static str, name: &'static str, write: bool) -> Case {
    case(file, documents).by(Token::Scoped(name, write))
}

fn common_files_used(sandbox: &Sandbox) -> Replacements {
    sandbox.tree().put("common-files/file.txt", " ").unwrap();
    Vec::new()
}

#[test]
fn reading_the_tree() {
    check(READING);
}

#[test]
fn rules_of_requests() {
    check(RULES);
}

#[test]
fn writing_the_tree() {
    check(WRITING);
}

#[test]
fn jobs() {
    check(JOBS);
}

#[test]
fn the_server_and_tokens() {
    check(SERVER);
}

#[test]
fn scoped_tokens() {
    check(SCOPED);
}

#[test]
fn sessions() {
    check(SESSIONS);
}

/// The root of a data source: the folder etag is the only thing a new one lacks.
#[test]
fn stat_of_a_workspace() {
    check(&[case("rest/04-stat-workspace", common_files_used)]);
}

/// The message differs, since the recorded one speaks of another failure.
#[test]
fn a_failed_task_is_shown() {
    let sandbox = start(quick());
    let recording = Recording::load("rest/99-job-poll-error-after-stop");
    let replacements = failed_move(&sandbox);
    let found = recording.replaced(&replacements).ask(&sandbox, &case("", nothing));
    let task = &found.unwrap().json()["Jobs"][0]["Tasks"][0];
    let recorded = &recording.response["body"]["Jobs"][0]["Tasks"][0];
    assert_eq!(task["Status"], recorded["Status"]);
    assert!(task["StatusMessage"].as_str().unwrap().contains("panic recovered in UpdateNode"));
    assert!(task["EndTime"].is_number());
}

#[test]
fn administrators_see_hidden_names() {
    let sandbox = start(quick());
    folders(&sandbox);
    let recording = Recording::load("rest/23-admin-list-shows-hidden");
    let found = recording.ask(&sandbox, &case("", nothing)).unwrap().json();
    let recorded = &recording.response["body"];
    for (index, child) in recorded["Children"].as_array().unwrap().iter().enumerate() {
        let found = &found["Children"][index];
        assert_eq!(differences(child, found, Lists::InOrder), Vec::<String>::new());
    }
    assert_eq!(found["Children"].as_array().unwrap().len(), 15);
    assert_eq!(found["Parent"]["Path"], recorded["Parent"]["Path"]);
}

#[test]
fn the_boot_configuration_has_the_recorded_keys() {
    let sandbox = start(quick());
    let recorded = Recording::load("auth/12-bootconf-anonymous");
    let found = recorded.ask(&sandbox, &case("", nothing)).unwrap().json();
    for (key, value) in recorded.response["body"].as_object().unwrap() {
        if key == "i18nMessages" || key == "availableLanguages" {
            continue;
        }
        let differences = differences(value, &found[key], Lists::InOrder);
        assert!(differences.is_empty(), "{key}: {differences:?}");
    }
    let found = Ask::get("/a/frontend/bootconf").ok(&sandbox);
    let recorded = Recording::load("auth/124-bootconf-auth");
    let keys: Vec<&str> = found.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(json!(keys), recorded.response["body_keys"]);
    assert_eq!(found["backend"], recorded.response["backend"]);
}

#[test]
fn the_state_names_the_user_of_a_valid_token_only() {
    let sandbox = start(quick());
    let cases = [
        ("auth/120-state-pat", Some(sandbox.token("admin")), "<user id=\"admin\">"),
        ("auth/121-state-oauth-std-user", Some(sandbox.token("bob")), "<user id=\"bob\">"),
        ("auth/122-state-invalid-token", Some("garbage".to_owned()), ""),
        ("auth/123-state-anonymous", None, ""),
    ];
    for (file, token, user) in cases {
        let recorded = Recording::load(file).response;
        let ask = Ask::get("/a/frontend/state");
        let ask = match &token {
            Some(token) => ask.bearer(token),
            None => ask,
        };
        let answer = ask.send(&sandbox).unwrap();
        let text = answer.text();
        assert_eq!(json!(answer.status), recorded["status"], "{file}");
        assert_eq!(answer.header("content-type"), "application/xml", "{file}");
        assert_eq!(text.contains("<user "), !user.is_empty(), "{file}");
        assert!(text.contains(user), "{file}");
        let rights = recorded["special_rights"].as_str();
        assert_eq!(text.contains("<special_rights is_admin=\"1\">"), rights.is_some(), "{file}");
        let start = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n <pydio_registry>\n  <actions>\n";
        assert!(text.starts_with(start) && recorded["body_start"].as_str().unwrap().starts_with(start));
    }
}

/// A recorded exchange.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    request: Value,
    pub(crate) response: Value,
    user: Option<String>,
}

impl Recording {
    pub(crate) fn load(file: &str) -> Self {
        Self::from_text(&Self::whole(file).to_string())
    }

    /// A recording that is no exchange.
    pub(crate) fn whole(file: &str) -> Value {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
        let path = folder.join(format!("{file}.json"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("no {path:?}"));
        serde_json::from_str(&text).unwrap()
    }

    fn from_text(text: &str) -> Self {
        let value: Value = serde_json::from_str(text).unwrap();
        Self {
            request: value["request"].clone(),
            response: value["response"].clone(),
            user: value["user"].as_str().map(str::to_owned),
        }
    }

    pub(crate) fn replaced(&self, replacements: &Replacements) -> Self {
        let value = json!({"request": self.request, "response": self.response, "user": self.user});
        let mut text = value.to_string();
        for (old, new) in replacements {
            text = text.replace(old, new);
        }
        Self::from_text(&text)
    }

    pub(crate) fn ask(&self, sandbox: &Sandbox, case: &Case) -> std::io::Result<crate::rest::support::Answer> {
        let method = self.request["method"].as_str().unwrap();
        let target = match self.request["path"].as_str() {
            Some(path) => path.to_owned(),
            None => {
                let url = self.request["url"].as_str().unwrap();
                format!("/{}", url.splitn(4, '/').nth(3).unwrap())
            }
        };
        let mut ask = Ask::new(method, &target);
        for (name, value) in self.request["headers"].as_object().unwrap() {
            let value_is_bearer = value.as_str().is_some_and(|value| value.starts_with("Bearer"));
            if name != "Authorization" || !value_is_bearer || token_is_sent_as_recorded(case) {
                ask = ask.header(name, value.as_str().unwrap());
            } else if let Some(token) = self.token(sandbox, case.token) {
                ask = ask.bearer(&token);
            }
        }
        if let Some(form) = self.request["form"].as_object() {
            let pairs: Vec<String> = form.iter().map(|(name, value)| pair(name, value.as_str().unwrap())).collect();
            return ask.body(pairs.join("&")).send(sandbox);
        }
        let has_type = self.request["headers"].get("Content-Type").is_some();
        ask = match (&self.request["body"], &self.request["json"]) {
            (Value::String(text), _) => ask.body(text.as_str()),
            (Value::Object(_), _) => ask.body(spaced(&self.request["body"])),
            (_, Value::Null) => ask,
            (_, json) if has_type => ask.body(spaced(json)),
            (_, json) => ask.json(json),
        };
        ask.send(sandbox)
    }

    fn token(&self, sandbox: &Sandbox, token: Token) -> Option<String> {
        Some(match token {
            Token::Replaced => return None,
            Token::Recorded => match self.user.as_deref() {
                Some(login) => sandbox.token(login),
                None => "garbage".to_owned(),
            },
            Token::Admin => sandbox.token("admin"),
            Token::Bob => sandbox.token("bob"),
            Token::Expired => sandbox.issue_token("admin", TokenKind::Hard(Duration::ZERO)),
            Token::Garbage => "AAAA.BBBB".to_owned(),
            Token::Scoped(name, write) => {
                let path = format!("common-files/A2/{name}");
                sandbox.issue_token("admin", TokenKind::Scoped { path, write })
            }
        })
    }

    fn status(&self) -> u64 {
        self.response["status"].as_u64().unwrap()
    }

    pub(crate) fn header(&self, wanted: &str) -> Option<String> {
        let is_wanted = |name: &str| name.eq_ignore_ascii_case(wanted);
        match &self.response["headers"] {
            Value::Object(headers) => {
                let found = headers.iter().find(|(name, _)| is_wanted(name));
                found.map(|(_, value)| value.as_str().unwrap().to_owned())
            }
            Value::Array(headers) => {
                let found = headers.iter().find(|pair| is_wanted(pair[0].as_str().unwrap()));
                found.map(|pair| pair[1].as_str().unwrap().to_owned())
            }
            _ => None,
        }
    }
}

/// One field of a form.
pub(crate) fn pair(name: &str, value: &str) -> String {
    format!("{name}={}", value.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>())
}

fn token_is_sent_as_recorded(case: &Case) -> bool {
    matches!(case.token, Token::Replaced)
}

/// JSON as the recorder wrote it, with a space after each comma and colon: errors count columns.
fn spaced(value: &Value) -> String {
    let list = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| format!("{}: {}", Value::from(key.as_str()), spaced(value));
            format!("{{{}}}", list(members.iter().map(member).collect()))
        }
        Value::Array(items) => format!("[{}]", list(items.iter().map(spaced).collect())),
        other => other.to_string(),
    }
}

/// Asks every case on a sandbox of its own and reports all differences at once.
pub(crate) fn check(cases: &[Case]) {
    let found: Vec<String> =
        cases.iter().flat_map(|case| problems(case).into_iter().map(|text| format!("{}: {text}", case.file))).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

fn problems(case: &Case) -> Vec<String> {
    let sandbox = start((case.config)());
    let replacements = (case.prepare)(&sandbox);
    let recording = Recording::load(case.file).replaced(&replacements);
    let answer = match recording.ask(&sandbox, case) {
        Ok(answer) => answer,
        Err(_) if recording.status() == 0 => return Vec::new(),
        Err(error) => return vec![format!("no answer: {error}")],
    };
    let mut problems = Vec::new();
    if u64::from(answer.status) != recording.status() {
        let text = answer.text();
        problems.push(format!("status {}, not {}: {text}", answer.status, recording.status()));
    }
    let content_type = recording.header("Content-Type").unwrap_or_default();
    if answer.header("content-type") != content_type {
        problems.push(format!("type {:?}, not {content_type:?}", answer.header("content-type")));
    }
    for name in ["Set-Cookie", "Location", "Cache-Control", "Pragma", "Www-Authenticate"] {
        let recorded = recording.header(name).is_some();
        if recorded == answer.header(&name.to_ascii_lowercase()).is_empty() {
            problems.push(format!("{name}: {:?}", answer.headers));
        }
    }
    match &recording.response["body"] {
        Value::String(text) if content_type.starts_with("text/html") => {
            let start = &text[..text.len().min(60)];
            if !answer.text().starts_with(start) {
                problems.push(format!("body {:?}", answer.text()));
            }
        }
        Value::String(text) if *text != answer.text() => {
            problems.push(format!("body {:?}, not {text:?}", answer.text()));
        }
        Value::Object(_) => match serde_json::from_slice(&answer.body) {
            Ok(found) => {
                problems.extend(differences(&recording.response["body"], &found, case.lists));
            }
            Err(_) => problems.push(format!("no JSON: {:?}", answer.text())),
        },
        _ => {}
    }
    problems
}
