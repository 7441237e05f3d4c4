//! Messages on the one stream of a pairing: length u32 big-endian, then the body.

use bytes::Bytes;
use quinn::{Connection, ReadExactError, RecvStream, SendStream};

use super::PairingError;
use crate::close::Ended;

pub(super) struct PairingStream {
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
}

impl PairingStream {
    pub(super) async fn open(connection: Connection) -> Result<Self, PairingError> {
        let (send, receive) = connection.open_bi().await.map_err(Ended::from)?;
        Ok(Self { connection, send, receive })
    }

    pub(super) async fn accept(connection: Connection) -> Result<Self, PairingError> {
        let (send, receive) = connection.accept_bi().await.map_err(Ended::from)?;
        Ok(Self { connection, send, receive })
    }

    pub(super) async fn write(&mut self, message: Vec<u8>) -> Result<(), PairingError> {
        let length = u32::try_from(message.len()).map_err(|_| PairingError::TooLarge)?;
        let length = Bytes::copy_from_slice(&length.to_be_bytes());
        let written = self.send.write_all_chunks(&mut [length, message.into()]).await;
        written.map_err(|_| self.over())
    }

    /// The next message; the length is checked before anything is allocated.
    pub(super) async fn read(&mut self, at_most: usize) -> Result<Vec<u8>, PairingError> {
        let mut length = [0; 4];
        self.receive.read_exact(&mut length).await.map_err(|error| self.failed(&error))?;
        let length = u32::from_be_bytes(length) as usize;
        if length > at_most {
            return Err(PairingError::TooLarge);
        }
        let mut message = vec![0; length];
        self.receive.read_exact(&mut message).await.map_err(|error| self.failed(&error))?;
        Ok(message)
    }

    /// Says that nothing follows, and waits until the other side has all of it and has said the same.
    pub(super) async fn finish(&mut self) {
        // Whatever fails here, the connection is over anyway.
        let _ = self.send.finish();
        let _ = self.send.stopped().await;
        let _ = self.receive.read_chunk(1, true).await;
    }

    fn failed(&self, error: &ReadExactError) -> PairingError {
        match error {
            ReadExactError::FinishedEarly(_) => PairingError::Finished,
            ReadExactError::ReadError(_) => self.over(),
        }
    }

    fn over(&self) -> PairingError {
        let reason = self.connection.close_reason();
        reason.map_or(PairingError::Finished, |reason| Ended::from(reason).into())
    }
}
