//! The S3 gateway (s3.md): one attempt a call, signed late, the token renewed and the clock offset learnt on the way.

pub mod error;

pub use error::{S3Error, S3ErrorKind};

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::BoxStream;
use jiff::Timestamp;

use crate::auth::Sender;
use crate::path::RemotePath;

/// Makes the body of an upload, anew for each time that it is sent.
pub type BodyFactory<'a> = &'a (dyn Fn() -> reqwest::Body + Send + Sync);

/// The S3 client of one account.
#[derive(Debug, Clone)]
pub struct Client {
    #[expect(dead_code)]
    sender: Arc<Sender>,
}

/// What a GET or HEAD tells besides the content.
#[derive(Debug, Clone)]
pub struct ObjectInfo {
    /// The entity tag without quotes.
    pub etag: String,
    /// Bytes of this answer's body (of the range, if one was asked for).
    pub length: u64,
    /// Bytes of the whole object, where the answer tells.
    pub total: Option<u64>,
    /// Last-Modified.
    pub modified: Option<Timestamp>,
}

/// A running download.
pub struct Download {
    /// What the headers tell.
    pub info: ObjectInfo,
    /// The content; it fails if the connection ends before `info.length` bytes.
    pub body: BoxStream<'static, Result<Bytes, S3Error>>,
}

/// One entry of a LIST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry {
    /// Its path.
    pub path: RemotePath,
    /// What it is.
    pub folder: bool,
    /// Bytes of a file.
    pub size: u64,
    /// The entity tag of a file, without quotes.
    pub etag: Option<String>,
    /// When a file was last written.
    pub modified: Option<Timestamp>,
}

/// The id of a multipart upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadId(pub String);

impl Client {
    /// A client that sends through `sender`.
    pub fn new(sender: Arc<Sender>) -> Self {
        Self { sender }
    }

    /// Sends a whole object and gives the ETag of the answer, without quotes. `key` must be in NFC.
    pub async fn put(&self, _key: &RemotePath, _length: u64, _body: BodyFactory<'_>) -> Result<String, S3Error> {
        todo!()
    }

    /// Opens an object, or a range of it.
    pub async fn get(&self, _key: &RemotePath, _range: Option<Range<u64>>) -> Result<Download, S3Error> {
        todo!()
    }

    /// The headers of an object.
    pub async fn head(&self, _key: &RemotePath) -> Result<ObjectInfo, S3Error> {
        todo!()
    }

    /// Starts a multipart upload; `size` is told to the server as x-amz-meta-pydio-clear-size (s3.md §3).
    pub async fn create_multipart(&self, _key: &RemotePath, _size: Option<u64>) -> Result<UploadId, S3Error> {
        todo!()
    }

    /// Sends one part and gives its ETag without quotes.
    pub async fn put_part(
        &self,
        _key: &RemotePath,
        _upload: &UploadId,
        _number: u32,
        _length: u64,
        _body: BodyFactory<'_>,
    ) -> Result<String, S3Error> {
        todo!()
    }

    /// Puts the parts together and gives the object's ETag without quotes. Never tried again blindly (s3.md §10).
    pub async fn complete_multipart(
        &self,
        _key: &RemotePath,
        _upload: &UploadId,
        _parts: &[(u32, String)],
    ) -> Result<String, S3Error> {
        todo!()
    }

    /// Gives a multipart upload up; an unknown id counts as done.
    pub async fn abort_multipart(&self, _key: &RemotePath, _upload: &UploadId) -> Result<(), S3Error> {
        todo!()
    }

    /// Whether a multipart upload is still known (ListParts: 200 or NoSuchUpload, s3.md §0.4).
    pub async fn multipart_alive(&self, _key: &RemotePath, _upload: &UploadId) -> Result<bool, S3Error> {
        todo!()
    }

    /// The direct children of a folder, hidden names included (s3.md §5).
    pub fn list(&self, _folder: &RemotePath) -> impl Stream<Item = Result<ListEntry, S3Error>> + Send + 'static {
        futures_util::stream::empty()
    }
}
