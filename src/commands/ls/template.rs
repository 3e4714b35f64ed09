//! The fields of `ls --format`, with the values of the older client, because scripts compare them.

use jiff::Timestamp;

use super::show::NOTHING;
use cells_client::api::{Node, NodeKind};

/// The names of the fields.
pub(super) const FIELDS: &[&str] =
    &["Type", "Uuid", "Hash", "Name", "Path", "HumanSize", "SizeBytes", "TimeStamp", "Date"];

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;
const MONTH: u64 = 30 * DAY;
const YEAR: u64 = 12 * MONTH;

/// Returns the values of [`FIELDS`]. The size of a folder is the server's, which is zero for an empty one and may be
/// outdated. The Uuid of a workspace is that of its root folder, which permissions refer to; `ls -d` shows the
/// workspace's own.
pub(super) fn values(node: &Node, now: Timestamp) -> [String; 9] {
    let size = if node.is_folder() && node.size == 0 { String::new() } else { node.size.to_string() };
    [
        kind(node).to_owned(),
        node.uuid.clone(),
        node.hash.clone().unwrap_or_default(),
        node.name().to_owned(),
        node.path.to_string(),
        if node.size == 0 { NOTHING.to_owned() } else { human_size(node.size) },
        size,
        node.modified.map(|time| time.as_second().to_string()).unwrap_or_default(),
        node.modified.map_or_else(|| NOTHING.to_owned(), |time| age(time, now)),
    ]
}

/// Returns the type of a node in one word.
pub(super) fn kind(node: &Node) -> &'static str {
    match node.kind {
        NodeKind::Workspace if node.text("ws_scope") == Some("ROOM") => "Cell",
        NodeKind::Workspace => "Workspace",
        NodeKind::Folder => "Folder",
        NodeKind::File => "File",
    }
}

/// Returns a size with a binary unit: two digits below 10, otherwise no fraction.
fn human_size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 10 {
        return format!("{bytes} B");
    }
    let power = bytes.ilog2() / 10;
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let value = (bytes as f64 / 1024_f64.powi(power.cast_signed()) * 10.0 + 0.5).floor() / 10.0;
    let digits = usize::from(value < 10.0);
    format!("{value:.digits$} {}", UNITS[power as usize])
}

/// Returns a time relative to now.
fn age(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - time.as_second();
    let side = if seconds < 0 { "from now" } else { "ago" };
    let seconds = seconds.unsigned_abs();
    let many = |unit, name| format!("{} {name}s {side}", seconds / unit);
    match seconds {
        0 => "now".to_owned(),
        1 => format!("1 second {side}"),
        2..MINUTE => many(1, "second"),
        _ if seconds < 2 * MINUTE => format!("1 minute {side}"),
        _ if seconds < HOUR => many(MINUTE, "minute"),
        _ if seconds < 2 * HOUR => format!("1 hour {side}"),
        _ if seconds < DAY => many(HOUR, "hour"),
        _ if seconds < 2 * DAY => format!("1 day {side}"),
        _ if seconds < WEEK => many(DAY, "day"),
        _ if seconds < 2 * WEEK => format!("1 week {side}"),
        _ if seconds < MONTH => many(WEEK, "week"),
        _ if seconds < 2 * MONTH => format!("1 month {side}"),
        _ if seconds < YEAR => many(MONTH, "month"),
        _ if seconds < 18 * MONTH => format!("1 year {side}"),
        _ if seconds < 2 * YEAR => format!("2 years {side}"),
        _ if seconds < 37 * YEAR => many(YEAR, "year"),
        _ => format!("a long while {side}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_by_the_older_client() {
        for (bytes, text) in [
            (7, "7 B"),
            (999, "999 B"),
            (1024, "1.0 KiB"),
            (1500, "1.5 KiB"),
            (10 * 1024, "10 KiB"),
            (100_000, "98 KiB"),
            (1024 * 1024 - 1, "1024 KiB"),
            (1024 * 1024, "1.0 MiB"),
            (43_200_000, "41 MiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(human_size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn ages_are_written_as_by_the_older_client() {
        let now = Timestamp::from_second(2_000_000_000).expect("a time");
        for (seconds, text) in [
            (0, "now"),
            (1, "1 second ago"),
            (59, "59 seconds ago"),
            (61, "1 minute ago"),
            (3599, "59 minutes ago"),
            (7200, "2 hours ago"),
            (86_400, "1 day ago"),
            (8 * 86_400, "1 week ago"),
            (20 * 86_400, "2 weeks ago"),
            (100 * 86_400, "3 months ago"),
            (400 * 86_400, "1 year ago"),
            (800 * 86_400, "2 years ago"),
            (-3, "3 seconds from now"),
        ] {
            let time = Timestamp::from_second(now.as_second() - seconds).expect("a time");
            assert_eq!(age(time, now), text, "{seconds}");
        }
    }

    #[test]
    fn a_cell_has_its_own_type_and_the_uuid_of_its_root_folder() {
        let mut node = Node { uuid: "root".to_owned(), ..Node::of_path("team", NodeKind::Workspace) };
        node.meta.insert("ws_uuid".to_owned(), "workspace".into());
        for (scope, kind) in [("ROOM", "Cell"), ("ADMIN", "Workspace")] {
            node.meta.insert("ws_scope".to_owned(), scope.into());
            let values = values(&node, Timestamp::UNIX_EPOCH);
            assert_eq!(values, [kind, "root", "", "team", "team", "-", "", "", "-"], "{scope}");
        }
        let empty = values(&Node::of_path("team/empty", NodeKind::File), Timestamp::UNIX_EPOCH);
        assert_eq!(empty[5..], ["-", "0", "", "-"]);
    }
}
