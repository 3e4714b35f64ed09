//! The jobs `compress` and `extract`.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::StatusCode;
use serde::Deserialize;

use super::error::{Prefix, RestError, RestResult};
use super::jobs::{StartAnswer, target_place};
use super::{Call, reply};
use crate::jobs::{Action, Order};
use crate::tree::forest::Forest;
use crate::tree::node::{Kind, NodeId};
use crate::tree::{Access, Nodes, Place, find};

#[derive(Deserialize)]
struct CompressParameters {
    nodes: Option<Vec<String>>,
    #[serde(rename = "archiveName")]
    archive: Option<String>,
    format: Option<String>,
}

#[derive(Deserialize)]
struct ExtractParameters {
    node: Option<String>,
    target: Option<String>,
    format: Option<String>,
}

/// The kinds of archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Zip,
    Tar,
    TarGz,
}

/// An entry of an archive: a path and, for a file, its content.
type Entry = (String, Option<Vec<u8>>);

fn format(name: &str) -> Result<Format, RestError> {
    match name {
        "zip" => Ok(Format::Zip),
        "tar" => Ok(Format::Tar),
        "tar.gz" => Ok(Format::TarGz),
        _ => Err(RestError::internal("unsupported format, please use one of zip, tar or tar.gz")),
    }
}

/// Adds nodes to an archive: for a single folder its content, otherwise the nodes under their names. If a name is in
/// use, a number is appended.
pub(super) fn compress(call: &Call, parameters: &str) -> RestResult {
    let parameters: CompressParameters = serde_json::from_str(parameters).map_err(|_| RestError::Panic)?;
    let (Some(nodes), Some(archive), Some(kind)) = (parameters.nodes, parameters.archive, parameters.format) else {
        return Err(RestError::Panic);
    };
    let format = format(&kind)?;
    let mut sources = Vec::new();
    for path in &nodes {
        let place = match call.shared.nodes.resolve(call.caller()?, path) {
            Access::Allowed(place) | Access::ReadOnly(place) => place,
            Access::WriteOnly(_) | Access::FileFolder(_) | Access::NotReadable => return Err(RestError::not_readable()),
            Access::UnknownWorkspace(slug) => return Err(RestError::no_workspace(&slug)),
        };
        if call.shared.nodes.read(|forest| find(forest, &place)).is_none() {
            let message =
                "Some files or folder are not allowed to be read or downloaded, you cannot build this archive";
            return Err(RestError::typed(StatusCode::FORBIDDEN, Prefix::Forbidden, message));
        }
        sources.push(place);
    }
    let mut place = target_place(call, &archive)?;
    // Any other ending, one in capitals too, gets the right one behind it.
    let ending = format!(".{kind}");
    if !place.relative.ends_with(&ending) {
        place.relative.push_str(&ending);
    }
    let order = Order {
        prefix: "compress-folders",
        label: "Compressing selection...".to_owned(),
        owner: call.caller()?.login.clone(),
        trigger: call.caller()?.login.clone(),
        action: Action {
            id: "actions.archive.compress",
            paths: nodes,
            parameters: BTreeMap::from([("format", kind), ("target", archive)]),
        },
        running: "Starting...".to_owned(),
    };
    let tree = call.shared.nodes.clone();
    let work = move || {
        let entries = entries(&tree, &sources);
        let content = pack(format, &entries).map_err(|error| error.to_string())?;
        let free = free_place(&tree, &place, Kind::File);
        tree.put_bytes(&free, &content).map_err(|error| error.to_string())
    };
    reply(&StartAnswer { job_uuid: call.shared.jobs.start(order, work) })
}

/// Extracts an archive into a folder, overwriting existing files. Without a target, it goes into a new folder with the
/// name of the archive.
pub(super) fn extract(call: &Call, parameters: &str) -> RestResult {
    let parameters: ExtractParameters = serde_json::from_str(parameters).map_err(|_| RestError::Panic)?;
    let (Some(node), Some(target), Some(kind)) = (parameters.node, parameters.target, parameters.format) else {
        return Err(RestError::Panic);
    };
    let format = format(&kind)?;
    let nodes = &call.shared.nodes;
    let source = match nodes.resolve(call.caller()?, &node) {
        Access::Allowed(place) | Access::ReadOnly(place) => place,
        Access::WriteOnly(_) | Access::FileFolder(_) | Access::NotReadable => return Err(RestError::not_readable()),
        Access::UnknownWorkspace(slug) => return Err(RestError::no_workspace(&slug)),
    };
    if nodes.read(|forest| find(forest, &source)).is_none() {
        return Err(RestError::no_node(&source.shown()));
    }
    let wanted = match target.as_str() {
        "" => None,
        target => Some(target_place(call, target)?),
    };
    let order = Order {
        prefix: "extract-archive",
        label: "Extracting archive...".to_owned(),
        owner: call.caller()?.login.clone(),
        trigger: call.caller()?.login.clone(),
        action: Action {
            id: "actions.archive.extract",
            paths: vec![node],
            parameters: BTreeMap::from([("format", kind), ("target", target)]),
        },
        running: "Starting...".to_owned(),
    };
    let tree = call.shared.nodes.clone();
    let work = move || {
        let body = tree.read(|forest| find(forest, &source).and_then(|id| forest.get(id)?.body.clone()));
        let content = body.and_then(|body| body.read_all().ok()).unwrap_or_default();
        let place = wanted.unwrap_or_else(|| {
            let stem = source.relative.rsplit_once('.').map_or(source.relative.as_str(), |(stem, _)| stem);
            free_place(&tree, &source.at(stem.trim_end_matches(".tar")), Kind::Folder)
        });
        // The folder is made before the archive is looked at.
        tree.make_folder(&place).map_err(|refusal| format!("{refusal:?}"))?;
        for (name, content) in unpack(format, content)? {
            let at = place.at(&format!("{}/{}", place.relative, name.trim_matches('/')));
            match content {
                Some(content) => tree.put_bytes(&at, &content).map_err(|error| error.to_string())?,
                None => tree.make_folder(&at).map_err(|refusal| format!("{refusal:?}"))?,
            }
        }
        Ok(())
    };
    reply(&StartAnswer { job_uuid: call.shared.jobs.start(order, work) })
}

/// The place itself, or the first numbered one beside it that is free.
fn free_place(tree: &Nodes, place: &Place, kind: Kind) -> Place {
    let (above, name) = place.relative.rsplit_once('/').unwrap_or(("", &place.relative));
    let free = tree.write(|forest, _| {
        let parent = find(forest, &place.at(above));
        parent.map_or_else(|| name.to_owned(), |parent| forest.free_name(parent, name, kind))
    });
    place.at(&format!("{above}/{free}"))
}

fn entries(tree: &Nodes, sources: &[Place]) -> Vec<Entry> {
    tree.read(|forest| {
        let roots: Vec<NodeId> = sources.iter().filter_map(|place| find(forest, place)).collect();
        let mut entries = Vec::new();
        match roots.as_slice() {
            [one] if is_folder(forest, *one) => {
                forest.children(*one).iter().for_each(|child| collect(forest, *child, "", &mut entries));
            }
            several => several.iter().for_each(|root| collect(forest, *root, "", &mut entries)),
        }
        entries
    })
}

fn is_folder(forest: &Forest, id: NodeId) -> bool {
    forest.get(id).is_some_and(|node| node.kind == Kind::Folder)
}

fn collect(forest: &Forest, id: NodeId, above: &str, entries: &mut Vec<Entry>) {
    let Some(node) = forest.get(id) else { return };
    let path = format!("{above}{}", node.name);
    match node.kind {
        Kind::File => {
            let content = node.body.as_ref().and_then(|body| body.read_all().ok()).unwrap_or_default();
            entries.push((path, Some(content)));
        }
        Kind::Folder => {
            entries.push((path.clone(), None));
            forest.children(id).iter().for_each(|child| collect(forest, *child, &format!("{path}/"), entries));
        }
    }
}

fn pack(format: Format, entries: &[Entry]) -> anyhow::Result<Vec<u8>> {
    if format == Format::Zip {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        for (path, content) in entries {
            match content {
                Some(content) => {
                    writer.start_file(path.as_str(), options)?;
                    writer.write_all(content)?;
                }
                None => writer.add_directory(path.as_str(), options)?,
            }
        }
        return Ok(writer.finish()?.into_inner());
    }
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        match content {
            Some(content) => {
                header.set_size(content.len() as u64);
                builder.append_data(&mut header, path, content.as_slice())?;
            }
            None => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_size(0);
                builder.append_data(&mut header, path, std::io::empty())?;
            }
        }
    }
    let plain = builder.into_inner()?;
    if format == Format::Tar {
        return Ok(plain);
    }
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(&plain)?;
    Ok(packer.finish()?)
}

/// Returns the entries of an archive. The error messages are those of the real server for something that is not an
/// archive.
fn unpack(format: Format, content: Vec<u8>) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    if format == Format::Zip {
        let broken = |_| "zip: not a valid zip file".to_owned();
        let mut archive = zip::ZipArchive::new(Cursor::new(content)).map_err(broken)?;
        for index in 0..archive.len() {
            let mut file = archive.by_index(index).map_err(broken)?;
            let (name, is_folder) = (file.name().map_err(broken)?.into_owned(), file.is_dir());
            let mut content = Vec::new();
            file.read_to_end(&mut content).map_err(|error| error.to_string())?;
            entries.push((name, (!is_folder).then_some(content)));
        }
        return Ok(entries);
    }
    let plain = if format == Format::Tar {
        content
    } else {
        let mut plain = Vec::new();
        GzDecoder::new(content.as_slice()).read_to_end(&mut plain).map_err(|_| "gzip: invalid header".to_owned())?;
        plain
    };
    let mut archive = tar::Archive::new(plain.as_slice());
    for file in archive.entries().map_err(|error| error.to_string())? {
        let mut file = file.map_err(|_| "archive/tar: invalid tar header".to_owned())?;
        let name = file.path().map_err(|error| error.to_string())?.to_string_lossy().into_owned();
        let is_folder = file.header().entry_type().is_dir();
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(|error| error.to_string())?;
        entries.push((name, (!is_folder).then_some(content)));
    }
    Ok(entries)
}
