//! A part of a file, which is read while it is sent.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// A part of a file that was opened.
#[derive(Clone, Debug)]
pub struct FilePart {
    file: Arc<File>,
    range: Range<u64>,
}

impl FilePart {
    /// The bytes of this range, which the file has now. Where it has fewer when they are read, the response is broken off.
    pub fn new(file: File, range: Range<u64>) -> Self {
        Self {
            file: Arc::new(file),
            range,
        }
    }

    /// How many bytes there are.
    pub fn len(&self) -> u64 {
        self.range.end.saturating_sub(self.range.start)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads at most so many of the bytes from this one on: none only at the end. May block.
    ///
    /// # Errors
    /// The operating system's; and the file is shorter than it was.
    pub fn read(&self, at: u64, most: usize) -> io::Result<Vec<u8>> {
        let left = self.len().saturating_sub(at);
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(most);
        let mut bytes = vec![0; most];
        let mut length = 0;
        while length < most {
            match read_at(&self.file, &mut bytes[length..], self.range.start + at + length as u64) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(more) => length += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    }
}

/// Reads at a place, whatever others have read.
#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, bytes, at)
}

#[cfg(windows)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, bytes, at)
}

#[cfg(not(any(unix, windows)))]
fn read_at(mut file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    use std::io::{Read, Seek, SeekFrom};

    // One response reads one piece after another, and nobody else has this file.
    file.seek(SeekFrom::Start(at))?;
    file.read(bytes)
}

/// The same part of the same opened file.
impl PartialEq for FilePart {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.file, &other.file) && self.range == other.range
    }
}

impl Eq for FilePart {}
