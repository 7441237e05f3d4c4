//! A folder as one .zip, made while it is sent: nothing is kept, however large it is.
//!
//! Contents are stored as they are: what fills drives is compressed already, and the way is a computer's own.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use vfs::{Drive, Kind};
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
const STACK_BYTES: usize = 256 << 10;

/// Packs the folder at `path` on a thread of its own; the stream ends in an error if that fails.
pub(super) fn pack(
    drive: Arc<Drive>,
    path: Vec<u8>,
    permit: OwnedSemaphorePermit,
) -> io::Result<impl stream::Stream<Item = io::Result<Bytes>>> {
    let (sender, receiver) = mpsc::channel(PIECES_WAITING);
    let work = move || {
        let _permit = permit;
        let mut pipe = Pipe { sender: sender.clone(), piece: Vec::with_capacity(PIECE_BYTES) };
        if let Err(error) = pack_all(&drive, &path, &mut pipe).and_then(|()| pipe.flush()) {
            // Nobody may listen any more, which is why it failed then.
            let _ = sender.blocking_send(Err(error));
        }
    };
    std::thread::Builder::new().name("zip".into()).stack_size(STACK_BYTES).spawn(work)?;
    Ok(stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece| (piece, receiver))
    }))
}

fn pack_all(drive: &Arc<Drive>, top: &[u8], pipe: &mut Pipe) -> io::Result<()> {
    let mut zip = ZipWriter::new_stream(pipe);
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
                        zip.add_directory(format!("{name}/"), options(0)).map_err(io::Error::other)?;
                        open.push((path, format!("{name}/")));
                    }
                    Kind::File => {
                        zip.start_file(name, options(listed.attr.size)).map_err(io::Error::other)?;
                        copy(drive, listed.attr.ino, &mut zip)?;
                    }
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
    zip.finish().map(drop).map_err(io::Error::other)
}

fn options(size: u64) -> SimpleFileOptions {
    // A file that grows while it is read may pass the limit of the old format: the new one costs 20 bytes.
    let is_large = size >= u64::from(u32::MAX) / 2;
    SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(is_large)
}

fn copy(drive: &Arc<Drive>, ino: vfs::Ino, to: &mut impl Write) -> io::Result<()> {
    let file = OpenFile::open(Arc::clone(drive), ino, false).map_err(io::Error::other)?;
    let mut at = 0;
    loop {
        let piece = file.read_blocking(at, READ_BYTES).map_err(io::Error::other)?;
        if piece.is_empty() {
            return Ok(());
        }
        to.write_all(&piece)?;
        at += piece.len() as u64;
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
