//! Storing one part of an upload.

use super::auth::Promised;
use super::error::Failure;
use super::exchange::Exchange;
use super::multipart::Part;
use super::put::{receive, sink};
use super::{Outcome, writable};
use crate::Shared;
use crate::random::hex;
use crate::tokens::Caller;
use crate::transport::Body;
use crate::tree::find;

/// The largest part: 5 GiB.
const LARGEST: u64 = 5 << 30;

/// Returns the number of a part; `None` if there is no number, which makes the request a plain PUT.
pub(super) fn number(exchange: &Exchange) -> Result<Option<u32>, Failure> {
    let number = exchange.parameter("partNumber").and_then(|number| number.parse::<u32>().ok());
    match number {
        Some(0 | 10_001..) => Err(Failure::invalid_part_number()),
        other => Ok(other),
    }
}

/// `PUT /io/key?partNumber=…&uploadId=…`
pub(super) async fn put(
    shared: &Shared,
    exchange: &Exchange,
    caller: &Caller,
    body: Body,
    (id, number): (&str, u32),
) -> Outcome {
    let promised = Promised::read(exchange)?;
    let length = exchange.content_length()?;
    if length > LARGEST {
        return Err(Failure::entity_too_large().into());
    }
    let place = writable(shared, caller, &exchange.key)?;
    let uuid = shared.nodes.read(|forest| {
        let id = match place.relative.is_empty() {
            true => crate::tree::root(forest, &place),
            false => find(forest, &place),
        };
        Some(forest.get(id?)?.uuid.clone())
    });
    let uuid = uuid.ok_or_else(|| Failure::internal("cannot find initial multipart node, this is not normal"))?;
    if length == 0 {
        return Err(Failure::tree("put.part.empty", 400, "Cannot put empty part").into());
    }
    if !shared.s3.uploads.is_alive(id, &uuid) {
        return Err(Failure::no_such_upload().into());
    }
    let received = receive(body, length, sink(shared, &promised)).await?;
    if promised.signed_chunks {
        return Err(Failure::backend_down().into());
    }
    let address = format!("http://127.0.0.1/personal/{uuid}?partNumber={number}&uploadId={id}");
    if let Some(mismatch) = promised.mismatch(&received) {
        return Err(Failure::internal(&format!("Put \"{address}\": {mismatch}")).into());
    }
    if promised.md5.is_some() {
        return Err(Failure::invalid_digest().into());
    }
    let digests = shared.nodes.stored(&uuid, received.digests);
    let etag = hex(&digests.md5());
    let part = Part { md5: digests.md5(), etag: etag.clone(), content: received.body };
    if !shared.s3.uploads.store(id, number, part, digests.blocks()) {
        return Err(Failure::no_such_upload().into());
    }
    Ok(exchange.stored(&etag))
}
