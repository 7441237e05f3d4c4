//! A shared memory map of a file.
#![allow(unsafe_code, reason = "memory maps are made and read through raw pointers; this is the one place")]

use std::ffi::c_void;
use std::fs::File;

use rustix::mm::{MapFlags, MsyncFlags, ProtFlags, mmap, msync, munmap};

/// The first bytes of a file, mapped shared and writable.
pub struct Map {
    start: *mut c_void,
    len: usize,
}

impl Map {
    pub fn of(file: &File, len: usize) -> Self {
        // SAFETY: no address is asked for, and nobody but this value uses the one that is given.
        let start = unsafe {
            mmap(std::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, file, 0)
        };
        Self { start: start.expect("a shared map"), len }
    }

    pub fn write(&mut self, at: usize, bytes: &[u8]) {
        assert!(at + bytes.len() <= self.len);
        // SAFETY: inside the map, as just checked; the source is no part of it.
        unsafe { self.start.cast::<u8>().add(at).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) }
    }

    pub fn read(&self, at: usize, len: usize) -> Vec<u8> {
        assert!(at + len <= self.len);
        let mut bytes = vec![0; len];
        // SAFETY: inside the map, as just checked; the target is no part of it.
        unsafe { bytes.as_mut_ptr().copy_from_nonoverlapping(self.start.cast::<u8>().add(at), len) }
        bytes
    }

    /// Returns when what was written is kept.
    pub fn sync(&self) {
        // SAFETY: exactly the map.
        unsafe { msync(self.start, self.len, MsyncFlags::SYNC) }.expect("a synced map");
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: exactly the map, which nobody uses any more.
        unsafe { munmap(self.start, self.len) }.expect("our own map");
    }
}
