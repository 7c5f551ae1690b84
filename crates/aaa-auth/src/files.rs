//! What reading any file has in common.

use std::{fs::File, io, io::Read};

use secrecy::zeroize::Zeroizing;

/// Reads a file to its end, unless that is too far away. What was read is wiped when dropped.
pub(crate) fn read_bounded(file: &File, max: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    // Room for all of it at once: growing would leave copies behind.
    let length = file.metadata()?.len().min(max);
    let mut bytes = Zeroizing::new(Vec::new());
    bytes.reserve_exact(usize::try_from(length).unwrap_or_default().saturating_add(1));
    file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= max) {
        Ok(bytes)
    } else {
        Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {max} bytes")))
    }
}
