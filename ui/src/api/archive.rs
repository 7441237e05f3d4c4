//! A folder as one .zip or .tar.zst, made while it is sent: nothing is kept, however large it is.
//!
//! A .zip opens everywhere, and its contents are stored as they are: what fills drives is compressed already, and the way is a computer's
//! own. A .tar.zst is compressed as fast as zstd can, and keeps times and modes.

use std::io::{self, Read, Write};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use vfs::{Attr, Drive, Kind};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::open_file::OpenFile;

/// Pieces on their way from the packer to the connection.
const PIECES_WAITING: usize = 4;
/// Bytes of a piece.
const PIECE_BYTES: usize = 256 << 10;
/// Bytes read from a file at once.
const READ_BYTES: u32 = 1 << 20;
/// Names of a folder looked at at once.
const PAGE_ENTRIES: usize = 256;
/// Stack of the packer's thread.
const STACK_BYTES: usize = 512 << 10;
/// zstd's level: the fastest of those that are worth it.
const ZSTD_LEVEL: i32 = 1;

/// What is made of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Zip,
    TarZst,
}

impl Form {
    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::Zip => ".zip",
            Self::TarZst => ".tar.zst",
        }
    }

    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Zip => "application/zip",
            Self::TarZst => "application/zstd",
        }
    }
}

/// Packs the folder at `path` on a thread of its own; the stream ends in an error if that fails.
pub(super) fn pack(
    drive: Arc<Drive>,
    path: Vec<u8>,
    form: Form,
    permit: OwnedSemaphorePermit,
) -> io::Result<impl stream::Stream<Item = io::Result<Bytes>>> {
    let (sender, receiver) = mpsc::channel(PIECES_WAITING);
    let work = move || {
        let _permit = permit;
        let mut pipe = Pipe { sender: sender.clone(), piece: Vec::with_capacity(PIECE_BYTES) };
        let packed = match form {
            Form::Zip => pack_all(&drive, &path, Zip(ZipWriter::new_stream(&mut pipe))),
            Form::TarZst => Tar::new(&mut pipe).and_then(|tar| pack_all(&drive, &path, tar)),
        };
        if let Err(error) = packed.and_then(|()| pipe.flush()) {
            // Nobody may listen any more, which is why it failed then.
            let _ = sender.blocking_send(Err(error));
        }
    };
    std::thread::Builder::new().name("archive".into()).stack_size(STACK_BYTES).spawn(work)?;
    Ok(stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece| (piece, receiver))
    }))
}

fn pack_all(drive: &Arc<Drive>, top: &[u8], mut archive: impl Archive) -> io::Result<()> {
    // Folders that wait: their path in the drive and in the archive.
    let mut open = vec![(top.to_vec(), String::new())];
    while let Some((folder, inside)) = open.pop() {
        let mut after = 0;
        loop {
            let page = drive.list_folder(&folder, after, PAGE_ENTRIES).map_err(io::Error::other)?;
            for listed in page.entries {
                let path = super::entry::joined(&folder, &listed.name);
                let name = format!("{inside}{}", String::from_utf8_lossy(&listed.name));
                match listed.attr.kind {
                    Kind::Directory => {
                        archive.folder(&format!("{name}/"), &listed.attr)?;
                        open.push((path, format!("{name}/")));
                    }
                    Kind::File => archive.file(&name, &listed.attr, Content::open(drive, &listed.attr)?)?,
                    // A link leads nowhere in an archive, and nothing else has content.
                    _ => {}
                }
            }
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
    }
    archive.finish()
}

/// What entries are put into.
trait Archive {
    fn folder(&mut self, name: &str, attr: &Attr) -> io::Result<()>;
    fn file(&mut self, name: &str, attr: &Attr, content: Content) -> io::Result<()>;
    fn finish(self) -> io::Result<()>;
}

struct Zip<'a>(ZipWriter<zip::write::StreamWriter<&'a mut Pipe>>);

impl Archive for Zip<'_> {
    fn folder(&mut self, name: &str, _attr: &Attr) -> io::Result<()> {
        self.0.add_directory(name, zip_options(0)).map_err(io::Error::other)
    }

    fn file(&mut self, name: &str, attr: &Attr, mut content: Content) -> io::Result<()> {
        self.0.start_file(name, zip_options(attr.size)).map_err(io::Error::other)?;
        io::copy(&mut content, &mut self.0).map(drop)
    }

    fn finish(self) -> io::Result<()> {
        self.0.finish().map(drop).map_err(io::Error::other)
    }
}

fn zip_options(size: u64) -> SimpleFileOptions {
    // A file that grows while it is read may pass the limit of the old format: the new one costs 20 bytes.
    let is_large = size >= u64::from(u32::MAX) / 2;
    SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(is_large)
}

struct Tar<'a>(tar::Builder<zstd::Encoder<'static, &'a mut Pipe>>);

impl<'a> Tar<'a> {
    fn new(pipe: &'a mut Pipe) -> io::Result<Self> {
        Ok(Self(tar::Builder::new(zstd::Encoder::new(pipe, ZSTD_LEVEL)?)))
    }
}

impl Archive for Tar<'_> {
    fn folder(&mut self, name: &str, attr: &Attr) -> io::Result<()> {
        let mut header = tar_header(attr, 0);
        header.set_entry_type(tar::EntryType::Directory);
        self.0.append_data(&mut header, name, io::empty())
    }

    /// The length stands before the content: what grows meanwhile is cut there, what shrinks ends the archive.
    fn file(&mut self, name: &str, attr: &Attr, content: Content) -> io::Result<()> {
        let mut rest = content.take(attr.size);
        self.0.append_data(&mut tar_header(attr, attr.size), name, &mut rest)?;
        if rest.limit() > 0 {
            return Err(io::Error::other(format!("{name} became shorter while it was read")));
        }
        Ok(())
    }

    fn finish(self) -> io::Result<()> {
        self.0.into_inner()?.finish().map(drop)
    }
}

fn tar_header(attr: &Attr, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(attr.mode & 0o777);
    header.set_mtime(u64::try_from(attr.mtime.secs).unwrap_or(0));
    header
}

/// What is in a file, from its start.
struct Content {
    file: OpenFile,
    at: u64,
    piece: Bytes,
}

impl Content {
    fn open(drive: &Arc<Drive>, attr: &Attr) -> io::Result<Self> {
        let file = OpenFile::open(Arc::clone(drive), attr.ino, false).map_err(io::Error::other)?;
        Ok(Self { file, at: 0, piece: Bytes::new() })
    }
}

impl Read for Content {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() {
            self.piece = self.file.read_blocking(self.at, READ_BYTES).map_err(io::Error::other)?;
            self.at += self.piece.len() as u64;
        }
        let taken = to.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut to[..taken]);
        Ok(taken)
    }
}

/// Hands pieces to the connection, and waits while it is slower.
struct Pipe {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Write for Pipe {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let taken = data.len().min(PIECE_BYTES - self.piece.len());
        self.piece.extend_from_slice(&data[..taken]);
        if self.piece.len() == PIECE_BYTES {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        if piece.is_empty() {
            return Ok(());
        }
        self.sender.blocking_send(Ok(piece.into())).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
