//! Which webhooks `aaa` made: `webhooks.json` in the data directory.
//!
//! ```json
//! {"webhooks":{"https://api.x.com":{"1234577122340233217":{"url":"https://example.com/hook"}}}}
//! ```
//!
//! What is not in it is somebody else's. There is nothing secret in it, but whoever can write it
//! can have webhooks deleted, so it is as private as everything else in the directory.

use std::{
    collections::BTreeMap,
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use aaa_client::ApiUrl;
use aaa_types::{WebhookId, api::Webhook, url::WebhookAddress};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use tokio::time::sleep;

use crate::exit::{Exit, Failure};

/// How often, and how long apart, another process is waited for: ten seconds in all.
const PATIENCE: u32 = 500;
const PAUSE: Duration = Duration::from_millis(20);

/// The webhooks that were made at one API.
pub(crate) struct Record {
    path: PathBuf,
    api: String,
}

/// A webhook that was made here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    /// The URL it was made for.
    pub(super) url: WebhookAddress,
}

#[derive(Default, Serialize, Deserialize)]
struct Content {
    webhooks: BTreeMap<String, BTreeMap<WebhookId, Made>>,
}

impl Record {
    /// Names the record of a data directory. Nothing is opened and nothing is made.
    pub(crate) fn new(data_dir: &Path, api: &ApiUrl) -> Self {
        Self { path: data_dir.join("webhooks.json"), api: api.to_string() }
    }

    /// Returns what was made, the oldest first.
    ///
    /// # Errors
    ///
    /// Fails when the record is there and cannot be read.
    pub(crate) fn made(&self) -> Result<BTreeMap<WebhookId, Made>, Failure> {
        Ok(self.read()?.webhooks.remove(&self.api).unwrap_or_default())
    }

    /// Notes a webhook.
    ///
    /// # Errors
    ///
    /// Fails when the record cannot be read or written.
    pub(crate) async fn add(&self, webhook: &Webhook) -> Result<(), Failure> {
        let made = Made { url: webhook.url.clone() };
        self.update(|ours| ours.insert(webhook.id, made)).await
    }

    /// Forgets a webhook. That it was never noted is no error.
    ///
    /// # Errors
    ///
    /// Fails when the record cannot be read or written.
    pub(crate) async fn remove(&self, id: WebhookId) -> Result<(), Failure> {
        if !self.made()?.contains_key(&id) {
            return Ok(());
        }
        self.update(|ours| ours.remove(&id)).await
    }

    /// Changes the record, while nobody else does.
    async fn update<T>(
        &self,
        change: impl FnOnce(&mut BTreeMap<WebhookId, Made>) -> T,
    ) -> Result<(), Failure> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        make_directory(directory).map_err(|error| self.failed("write", error))?;
        let _lock = self.lock().await?;
        let mut content = self.read()?;
        change(content.webhooks.entry(self.api.clone()).or_default());
        content.webhooks.retain(|_, ours| !ours.is_empty());
        self.write(directory, &content).map_err(|error| self.failed("write", error))
    }

    fn read(&self) -> Result<Content, Failure> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Content::default()),
            Err(error) => return Err(self.failed("read", error)),
        };
        refuse_exposed(&file).map_err(|error| self.failed("read", error))?;
        serde_json::from_reader(io::BufReader::new(file)).map_err(|error| {
            self.failed("read", error).advise(
                "mend it, or move it away: then no webhook counts as made by `aaa`, and none is \
                 removed",
            )
        })
    }

    /// Puts a whole new file in the place of the old one.
    fn write(&self, directory: &Path, content: &Content) -> io::Result<()> {
        // It is made with mode 0600.
        let mut file = NamedTempFile::new_in(directory)?;
        serde_json::to_writer_pretty(&mut file, content)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        sync_directory(directory)
    }

    async fn lock(&self) -> Result<File, Failure> {
        let path = self.path.with_extension("json.lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|error| self.failed("lock", error))?;
        for _ in 0..PATIENCE {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => sleep(PAUSE).await,
                Err(TryLockError::Error(error)) => return Err(self.failed("lock", error)),
            }
        }
        Err(self.failed("lock", "another process holds it; try again"))
    }

    fn failed(&self, action: &str, error: impl std::fmt::Display) -> Failure {
        Exit::Failed.of(&format!("could not {action} `{}`", self.path.display()), error)
    }
}

fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Makes a new name in it survive a power loss.
#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_directory: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn refuse_exposed(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "it is open to other users (mode {mode:03o}); see that it is right, and close it with \
         `chmod go-rwx`"
    )))
}

#[cfg(not(unix))]
fn refuse_exposed(_file: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn webhook(id: &str) -> Webhook {
        let url = "https://example.com/hook".parse().unwrap();
        Webhook { id: id.parse().unwrap(), url, valid: true, created_at: None }
    }

    fn record(directory: &Path, api: &str) -> Record {
        Record::new(&directory.join("aaa-data"), &api.parse().unwrap())
    }

    fn ids(record: &Record) -> Vec<String> {
        record.made().unwrap().keys().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn what_was_made_is_remembered_for_each_api() {
        let directory = tempfile::tempdir().unwrap();
        let x = record(directory.path(), "https://api.x.com");
        let emulator = record(directory.path(), "http://127.0.0.1:7878");
        assert!(ids(&x).is_empty());
        x.remove("12".parse().unwrap()).await.unwrap();
        assert!(!directory.path().join("aaa-data").exists(), "forgetting made a record");
        for id in ["12", "9", "1234577122340233217"] {
            x.add(&webhook(id)).await.unwrap();
        }
        emulator.add(&webhook("13")).await.unwrap();
        assert_eq!(ids(&x), ["9", "12", "1234577122340233217"]);
        x.remove("12".parse().unwrap()).await.unwrap();
        x.remove("9".parse().unwrap()).await.unwrap();
        insta::assert_snapshot!(fs::read_to_string(&x.path).unwrap(), @r#"
        {
          "webhooks": {
            "http://127.0.0.1:7878": {
              "13": {
                "url": "https://example.com/hook"
              }
            },
            "https://api.x.com": {
              "1234577122340233217": {
                "url": "https://example.com/hook"
              }
            }
          }
        }
        "#);
        emulator.remove("13".parse().unwrap()).await.unwrap();
        assert_eq!(ids(&x), ["1234577122340233217"]);
        assert!(ids(&emulator).is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_at_a_time_lose_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut adding = tokio::task::JoinSet::new();
        for id in 10..30 {
            let record = record(directory.path(), "https://api.x.com");
            adding.spawn(async move { record.add(&webhook(&id.to_string())).await });
        }
        while let Some(added) = adding.join_next().await {
            added.unwrap().unwrap();
        }
        assert_eq!(ids(&record(directory.path(), "https://api.x.com")).len(), 20);
    }

    #[tokio::test]
    async fn whoever_holds_the_lock_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let (one, two) = (
            record(directory.path(), "https://api.x.com"),
            record(directory.path(), "https://api.x.com"),
        );
        one.add(&webhook("12")).await.unwrap();
        let held = one.lock().await.unwrap();
        let webhook = webhook("13");
        let mut adding = std::pin::pin!(two.add(&webhook));
        let waits = tokio::time::timeout(Duration::from_millis(100), &mut adding).await;
        assert!(waits.is_err(), "it did not wait");
        drop(held);
        adding.await.unwrap();
        assert_eq!(ids(&one), ["12", "13"]);
    }

    #[tokio::test]
    async fn what_is_not_understood_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let record = record(directory.path(), "https://api.x.com");
        record.add(&webhook("12")).await.unwrap();
        fs::write(&record.path, "{\"webhooks\":[").unwrap();
        let failure = record.add(&webhook("13")).await.unwrap_err();
        assert!(failure.to_string().contains("could not read"), "{failure}");
        assert_eq!(fs::read_to_string(&record.path).unwrap(), "{\"webhooks\":[");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn it_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let record = record(directory.path(), "https://api.x.com");
        record.add(&webhook("12")).await.unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&record.path), 0o600);
        assert_eq!(mode(record.path.parent().unwrap()), 0o700);
        fs::set_permissions(&record.path, fs::Permissions::from_mode(0o620)).unwrap();
        let failure = record.made().unwrap_err().to_string();
        assert!(failure.contains("mode 620"), "{failure}");
    }
}
