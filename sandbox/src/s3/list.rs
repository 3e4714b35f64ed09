//! Listings: everything in one document, silently cut.

use std::time::{Duration, UNIX_EPOCH};

use super::error::Failure;
use super::exchange::Exchange;
use super::xml::Writer;
use crate::Shared;
use crate::tokens::Caller;
use crate::tree::forest::Forest;
use crate::tree::node::{Kind, NodeId};
use crate::tree::{Access, find};
use crate::world::WORKSPACES;

/// How many entries there are at most unless the client asks for another number.
const DEFAULT_LIMIT: usize = 4500;

/// The owner of everything.
pub(super) const OWNER: &str = "02d6176db174dc93cb1b899f7c6078f08654445fe8cf1b6ce98d8855f66bdbf4";

/// `GET /`: the buckets, made just now whenever they are asked for.
pub(super) fn buckets(names: &[&str], now: i64) -> Writer {
    let mut xml = Writer::document();
    xml.root("ListAllMyBucketsResult");
    write_owner(&mut xml);
    xml.open("Buckets");
    for name in names {
        xml.open("Bucket");
        xml.text("Name", name);
        xml.value("CreationDate", timestamp(now));
        xml.close("Bucket");
    }
    xml.close("Buckets");
    xml.close("ListAllMyBucketsResult");
    xml
}

fn write_owner(xml: &mut Writer) {
    xml.open("Owner");
    xml.value("ID", OWNER);
    xml.value("DisplayName", "minio");
    xml.close("Owner");
}

/// `GET /io/?location`
pub(super) fn location() -> Writer {
    let mut xml = Writer::document();
    xml.root("LocationConstraint");
    xml.close("LocationConstraint");
    xml
}

/// `GET /io/?uploads`: always empty.
pub(super) fn uploads(exchange: &Exchange) -> Writer {
    let mut xml = Writer::document();
    xml.root("ListMultipartUploadsResult");
    xml.text("Bucket", &exchange.bucket);
    for name in ["KeyMarker", "UploadIdMarker", "NextKeyMarker", "NextUploadIdMarker", "Delimiter", "Prefix"] {
        xml.text(name, "");
    }
    xml.value("MaxUploads", 0);
    xml.value("IsTruncated", false);
    xml.close("ListMultipartUploadsResult");
    xml
}

/// A file in a listing.
struct Entry {
    key: String,
    etag: String,
    size: u64,
    mtime: i64,
}

/// The content of a listing.
#[derive(Default)]
struct Listing {
    files: Vec<Entry>,
    prefixes: Vec<String>,
}

impl Listing {
    fn count(&self) -> usize {
        self.files.len() + self.prefixes.len()
    }
}

/// `GET /io/?list-type=2&prefix=…`, and the same without a type.
pub(super) fn objects(shared: &Shared, exchange: &Exchange, caller: &Caller) -> Result<Writer, Failure> {
    if exchange.parameter("continuation-token").is_some() {
        return Err(Failure::bad_token());
    }
    let asked = exchange.parameter("max-keys").and_then(|number| number.parse().ok());
    let limit = asked.filter(|limit| *limit > 0).unwrap_or(DEFAULT_LIMIT);
    let prefix = exchange.parameter("prefix").unwrap_or_default().trim_start_matches('/');
    let delimiter = exchange.parameter("delimiter").unwrap_or_default();
    let mut listing = collect(shared, caller, prefix, delimiter.is_empty());
    listing.files.truncate(limit);
    listing.prefixes.truncate(limit - listing.files.len());
    Ok(write(exchange, prefix, delimiter, limit, &listing))
}

/// Returns everything below a prefix, which must be a complete folder path, with or without a slash at its end. A
/// folder with files in it is listed itself, in the form of the request.
fn collect(shared: &Shared, caller: &Caller, prefix: &str, recursive: bool) -> Listing {
    let mut listing = Listing::default();
    if prefix.is_empty() {
        let is_visitor = shared.links.is_visitor(&caller.login);
        let visible = WORKSPACES.iter().filter(|it| !is_visitor && it.right_of(&caller.login).is_some());
        let link = shared.links.by_user(&caller.login);
        let slugs = visible.map(|workspace| workspace.slug).chain(link.as_ref().map(|link| link.slug.as_str()));
        if recursive {
            for slug in slugs {
                collect_folder(shared, caller, slug, true, &mut listing);
            }
        } else {
            listing.prefixes.extend(slugs.map(|slug| format!("{slug}/")));
        }
        return listing;
    }
    collect_folder(shared, caller, prefix.trim_end_matches('/'), recursive, &mut listing);
    if !listing.files.is_empty() {
        listing.prefixes.push(prefix.to_owned());
    }
    listing
}

fn collect_folder(shared: &Shared, caller: &Caller, path: &str, recursive: bool, listing: &mut Listing) {
    let (Access::Allowed(place) | Access::ReadOnly(place)) = shared.nodes.resolve(caller, path) else {
        return;
    };
    shared.nodes.read(|forest| {
        if let Some(folder) = find(forest, &place) {
            below(forest, folder, path, recursive, listing);
        }
    });
}

/// Adds the children of a folder, and theirs when it is recursive. Hidden names are listed; those
/// with a backslash are not.
fn below(forest: &Forest, folder: NodeId, path: &str, recursive: bool, listing: &mut Listing) {
    for id in forest.children(folder) {
        let Some(node) = forest.get(*id).filter(|node| !node.name.contains('\\')) else {
            continue;
        };
        let key = format!("{path}/{}", node.name);
        match node.kind {
            Kind::File => {
                let (etag, size, mtime) = (node.etag.clone(), node.size, node.mtime);
                listing.files.push(Entry { key, etag, size, mtime });
            }
            Kind::Folder => {
                listing.prefixes.push(format!("{key}/"));
                if recursive {
                    below(forest, *id, &key, true, listing);
                }
            }
        }
    }
}

fn write(exchange: &Exchange, prefix: &str, delimiter: &str, limit: usize, listing: &Listing) -> Writer {
    let form = exchange.parameter("encoding-type") == Some("url");
    let encoded = |key: &str| {
        if form { form_encoded(key) } else { key.to_owned() }
    };
    let mut xml = Writer::document();
    xml.root("ListBucketResult");
    xml.text("Name", &exchange.bucket);
    xml.text("Prefix", &encoded(prefix));
    if exchange.parameter("list-type") == Some("2") {
        xml.value("KeyCount", listing.count());
    } else {
        xml.text("Marker", exchange.parameter("marker").unwrap_or_default());
    }
    xml.value("MaxKeys", limit);
    xml.text("Delimiter", &encoded(delimiter));
    xml.value("IsTruncated", false);
    if form {
        xml.text("EncodingType", "url");
    }
    for file in &listing.files {
        xml.open("Contents");
        xml.text("Key", &encoded(&file.key));
        xml.value("LastModified", timestamp(file.mtime));
        xml.text("ETag", &format!("\"{}\"", file.etag));
        xml.value("Size", file.size);
        write_owner(&mut xml);
        xml.value("StorageClass", "STANDARD");
        xml.close("Contents");
    }
    for prefix in &listing.prefixes {
        xml.open("CommonPrefixes");
        xml.text("Prefix", &encoded(prefix));
        xml.close("CommonPrefixes");
    }
    xml.close("ListBucketResult");
    xml
}

/// A key as forms have it: a space is a plus; slashes stay.
fn form_encoded(key: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const ENCODED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b' ');
    utf8_percent_encode(key, ENCODED).to_string().replace(' ', "+")
}

/// `2026-11-23T16:20:50.000Z`
fn timestamp(seconds: i64) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    // "Mon, 23 Nov 2026 16:20:50 GMT": the parts have fixed positions.
    let date = httpdate::fmt_http_date(time);
    let month = match &date[8..11] {
        "Jan" => 1,
        "Feb" => 2,
        "Mar" => 3,
        "Apr" => 4,
        "May" => 5,
        "Jun" => 6,
        "Jul" => 7,
        "Aug" => 8,
        "Sep" => 9,
        "Oct" => 10,
        "Nov" => 11,
        _ => 12,
    };
    format!("{}-{month:02}-{}T{}.000Z", &date[12..16], &date[5..7], &date[17..25])
}
