//! Damage in the write-ahead log, which SQLite takes for its end.
//!
//! A frame whose checksum is wrong ends the log: that is how SQLite drops a transaction that a
//! power loss cut. When the same happens in the middle, transactions behind it that were
//! acknowledged long ago would be dropped without a word. But each transaction is synced before
//! the next one begins, so a power loss never leaves two whole ones behind a broken one.
//!
//! The format is that of <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::{
    fs::File,
    io::{self, BufReader, ErrorKind, Read},
    path::Path,
};

use super::files::log_of;
use crate::error::StoreError;

/// The length of the head of the log.
const HEAD: usize = 32;

/// The length of the head of a frame; a page follows.
const FRAME: usize = 24;

/// The first bytes of a log, but for the lowest bit.
const MAGIC: u32 = 0x377f_0682;

/// How often a log is read that another process writes to at the same time.
const TRIES: usize = 8;

/// Refuses a database whose log is damaged in a place where SQLite would lose what follows.
pub(super) fn check(database: &Path) -> Result<(), StoreError> {
    let path = log_of(database);
    let told = |error: io::Error| StoreError::files("read", &path, &error);
    let page_size = page_size(database).map_err(told)?;
    let mut found = None;
    for _ in 0..TRIES {
        let Some(log) = open(&path).map_err(told)? else { return Ok(()) };
        let log = BufReader::with_capacity(1 << 20, log);
        let (head, damage) = scan(log, page_size).map_err(told)?;
        let Some(Damage { frame, commits }) = damage else { return Ok(()) };
        // Another process may write while the log is read. What it had half written is whole the
        // next time; what is broken in the same place of the same log stays so.
        if found.replace((head, frame)) == Some((head, frame)) {
            let reason = format!(
                "its write-ahead log is broken at frame {frame}, and {commits} transactions \
                 behind it would be lost"
            );
            return Err(StoreError::Corrupt { path: database.to_owned(), reason });
        }
    }
    Ok(())
}

/// Where a log is broken, and how many whole transactions follow.
#[derive(Debug, PartialEq, Eq)]
struct Damage {
    frame: u64,
    commits: u64,
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_head(mut log: impl Read) -> io::Result<Option<[u8; HEAD]>> {
    let mut head = [0; HEAD];
    Ok(fill(&mut log, &mut head)?.then_some(head))
}

/// Reads a log from its head to its end. `page_size` is that of the database; the head of the
/// log may be what is damaged.
fn scan(mut log: impl Read, page_size: usize) -> io::Result<([u8; HEAD], Option<Damage>)> {
    let Some(head) = read_head(&mut log)? else { return Ok(([0; HEAD], None)) };
    let mut format = Format::of(&head);
    let sums = format.sum([0; 2], head.get(..FRAME).unwrap_or_default());
    let mut broken = (!is_head(&head) || sums != pair(&head, FRAME)).then_some(0);
    let mut sum = pair(&head, FRAME);
    let (mut number, mut commits) = (0, 0);
    let mut frame = [0; FRAME];
    let mut page = vec![0; page_size];
    while fill(&mut log, &mut frame)? && fill(&mut log, &mut page)? {
        if number == 0 && broken.is_some() {
            format.salts = pair(&frame, 8);
        }
        number += 1;
        let begun = format.sum(sum, frame.get(..8).unwrap_or_default());
        let sound = pair(&frame, 8) == format.salts && format.sum(begun, &page) == pair(&frame, 16);
        if sound && broken.is_some() && word(&frame, 4) != 0 {
            commits += 1;
        } else if !sound && broken.is_none() {
            broken = Some(number);
        }
        // Each frame goes on from the sum that stands in the one before.
        sum = pair(&frame, 16);
    }
    // The last transaction was perhaps not synced, and then its pages come in any order.
    let damage = broken.filter(|_| commits >= 2).map(|frame| Damage { frame, commits });
    Ok((head, damage))
}

/// Reads the size of a page from the head of the database.
fn page_size(database: &Path) -> io::Result<usize> {
    let mut head = [0; 18];
    let whole = open(database)?.map(|mut file| fill(&mut file, &mut head)).transpose()?;
    Ok(match u16::from_be_bytes([head[16], head[17]]) {
        1 => 65_536,
        size if whole == Some(true) && size.is_power_of_two() && size >= 512 => usize::from(size),
        // Nothing was moved out of the log yet, or the next look finds out.
        _ => 4096,
    })
}

/// Fills a buffer; says whether there was enough.
fn fill(log: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Says whether a head begins like one. What its other words say is covered by its sums.
fn is_head(head: &[u8; HEAD]) -> bool {
    word(head, 0) & !1 == MAGIC
}

/// How the sums of a log are made.
#[derive(Debug)]
struct Format {
    big_endian: bool,
    salts: [u32; 2],
}

impl Format {
    fn of(head: &[u8; HEAD]) -> Self {
        Self { big_endian: is_head(head) && word(head, 0) & 1 == 1, salts: pair(head, 16) }
    }

    fn sum(&self, [mut one, mut two]: [u32; 2], bytes: &[u8]) -> [u32; 2] {
        let (words, _) = bytes.as_chunks::<4>();
        let (pairs, _) = words.as_chunks::<2>();
        for [a, b] in pairs {
            let read = if self.big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
            one = one.wrapping_add(read(*a)).wrapping_add(two);
            two = two.wrapping_add(read(*b)).wrapping_add(one);
        }
        [one, two]
    }
}

/// Two words of a head, which are big-endian whatever the sums are.
fn pair(bytes: &[u8], at: usize) -> [u32; 2] {
    [word(bytes, at), word(bytes, at + 4)]
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk());
    word.map_or(0, |word| u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests;
