//! What has to be in a store, and what is.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
};

use load::delivery::Delivery;
use rusqlite::{Connection, OpenFlags};

use crate::{Failure, report::Report};

/// Remembers what was acknowledged, and looks for it.
#[derive(Debug)]
pub struct Oracle {
    database: PathBuf,
    expected: HashSet<Delivery>,
    /// What was found in the last look, and how often.
    found: HashMap<Delivery, u64>,
    /// The last event whose body was compared.
    compared: i64,
    lost: HashSet<Delivery>,
    doubled: HashSet<Delivery>,
    altered: u64,
    /// What of these is in a report already.
    told: (u64, u64, u64),
}

impl Oracle {
    /// Expects nothing yet of this database.
    pub fn new(database: PathBuf) -> Self {
        Self {
            database,
            expected: HashSet::new(),
            found: HashMap::new(),
            compared: 0,
            lost: HashSet::new(),
            doubled: HashSet::new(),
            altered: 0,
            told: (0, 0, 0),
        }
    }

    /// These were acknowledged.
    pub fn expect(&mut self, deliveries: &[Delivery]) {
        self.expected.extend(deliveries);
    }

    /// Looks for all that was ever acknowledged, and compares the bodies that are new.
    ///
    /// It must only be called beside a receiver that has recovered: whoever opens the file first
    /// after a crash recovers it.
    ///
    /// # Errors
    ///
    /// Fails when the database cannot be read.
    pub fn look(&mut self) -> Result<HashSet<Delivery>, Failure> {
        let db = open(&self.database)?;
        self.found.clear();
        let mut statement = db.prepare("SELECT item FROM events")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            *self.found.entry(delivery(&row.get::<_, String>(0)?)?).or_default() += 1;
        }
        let mut statement = db.prepare(
            "SELECT seq, item, body FROM events JOIN deliveries ON deliveries.id = delivery \
             WHERE seq > ? ORDER BY seq",
        )?;
        let mut rows = statement.query([self.compared])?;
        while let Some(row) = rows.next()? {
            self.compared = row.get(0)?;
            let sent = delivery(&row.get::<_, String>(1)?)?.body();
            self.altered += u64::from(row.get_ref(2)?.as_blob()? != sent);
        }
        let missing = self.expected.iter().filter(|delivery| !self.found.contains_key(delivery));
        self.lost.extend(missing);
        let doubled = self.found.iter().filter(|(_, count)| **count > 1);
        self.doubled.extend(doubled.map(|(delivery, _)| delivery));
        Ok(self.found.keys().copied().collect())
    }

    /// Adds to a report what was found since the last time.
    pub fn judge(&mut self, report: &mut Report) {
        let now = (self.lost.len() as u64, self.doubled.len() as u64, self.altered);
        report.lost += now.0 - self.told.0;
        report.doubled += now.1 - self.told.1;
        report.altered += now.2 - self.told.2;
        self.told = now;
    }
}

fn open(database: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(database, flags)
}

fn delivery(item: &str) -> Result<Delivery, Failure> {
    Ok(Delivery::of(item.parse()?))
}

#[cfg(test)]
mod tests {
    use load::{clock, delivery::Deliveries};

    use super::*;

    /// Three events: one as it was sent, one twice, one that is not what was sent.
    #[test]
    fn what_is_wrong_is_found_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("aaa.db");
        let db = Connection::open(&path).unwrap();
        db.execute_batch(
            "CREATE TABLE events (seq INTEGER PRIMARY KEY, delivery INTEGER, item TEXT);
             CREATE TABLE deliveries (id INTEGER PRIMARY KEY, body BLOB);",
        )
        .unwrap();
        let store = |delivery: Delivery, body: Vec<u8>| {
            db.execute("INSERT INTO deliveries (body) VALUES (?)", [body]).unwrap();
            let row = (db.last_insert_rowid(), delivery.id().to_string());
            db.execute("INSERT INTO events (delivery, item) VALUES (?, ?)", row).unwrap();
        };
        let deliveries = Deliveries::new(clock::now());
        let [well, twice, altered, gone] = std::array::from_fn(|_| deliveries.next());
        store(well, well.body());
        store(twice, twice.body());
        store(twice, twice.body());
        store(altered, well.body());

        let mut oracle = Oracle::new(path);
        oracle.expect(&[well, twice, altered, gone]);
        let mut report = Report::default();
        for _ in 0..2 {
            assert_eq!(oracle.look().unwrap(), HashSet::from([well, twice, altered]));
            oracle.judge(&mut report);
            assert_eq!((report.lost, report.doubled, report.altered), (1, 1, 1));
        }
    }
}
