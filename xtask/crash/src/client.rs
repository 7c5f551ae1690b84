//! Who sends, and what became of it.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use aaa_types::ConsumerSecret;
use load::{
    SECRET,
    delivery::{Deliveries, Delivery},
    http::Connection,
};
use tokio::{sync::Notify, task::JoinSet, time::timeout};

use crate::{ACKNOWLEDGED, Failure};

/// How many connections bring deliveries at once.
const CONNECTIONS: usize = 64;

/// How long it may take until enough is acknowledged, and until everybody has noticed the end.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the senders know of a round.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    /// Answered 200.
    pub(crate) acknowledged: Vec<Delivery>,
    /// On their way when the receiver was killed: not answered.
    pub(crate) unanswered: Vec<Delivery>,
    /// How many were answered with something else.
    pub(crate) refused: u64,
}

/// Sends to one run of a receiver.
#[derive(Debug)]
pub(crate) struct Senders {
    address: SocketAddr,
    secret: ConsumerSecret,
}

/// What the senders of a load share.
struct Shared {
    acknowledged: AtomicU64,
    enough: Notify,
    /// The receiver is about to be killed: a connection may end now.
    ending: AtomicBool,
}

impl Senders {
    pub(crate) fn new(address: SocketAddr) -> Result<Self, Failure> {
        Ok(Self { address, secret: SECRET.parse()? })
    }

    /// Sends on all connections until `kill` has ended the receiver; it is called as soon as enough
    /// is acknowledged.
    pub(crate) async fn load(
        &self,
        deliveries: &Deliveries,
        kill: impl AsyncFnOnce() -> Result<(), Failure>,
    ) -> Result<Sheet, Failure> {
        let shared = Arc::new(Shared {
            acknowledged: AtomicU64::new(0),
            enough: Notify::new(),
            ending: AtomicBool::new(false),
        });
        let mut senders = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let connection = Connection::open(self.address).await?;
            let (secret, deliveries) = (self.secret.clone(), deliveries.clone());
            senders.spawn(sender(connection, secret, deliveries, Arc::clone(&shared)));
        }
        tokio::select! {
            enough = timeout(PATIENCE, shared.enough.notified()) => {
                enough.map_err(|_| "the receiver does not acknowledge enough")?;
            }
            Some(sender) = senders.join_next() => {
                sender??;
                return Err("a connection ended before the receiver was killed".into());
            }
        }
        shared.ending.store(true, SeqCst);
        kill().await?;
        let mut all = Sheet::default();
        while let Some(sheet) = timeout(PATIENCE, senders.join_next()).await? {
            let sheet = sheet??;
            all.acknowledged.extend(sheet.acknowledged);
            all.unanswered.extend(sheet.unanswered);
            all.refused += sheet.refused;
        }
        Ok(all)
    }

    /// Sends these on all connections; all have to be answered 200.
    pub(crate) async fn send(&self, deliveries: &[Delivery]) -> Result<(), Failure> {
        let mut senders = JoinSet::new();
        for share in deliveries.chunks(deliveries.len().div_ceil(CONNECTIONS).max(1)) {
            let mut connection = Connection::open(self.address).await?;
            let (share, secret) = (share.to_vec(), self.secret.clone());
            senders.spawn(async move {
                for delivery in share {
                    let status = connection.exchange(&delivery.request(&secret)).await?;
                    if status != 200 {
                        let id = delivery.id();
                        return Err(io::Error::other(format!("{id}, sent again: {status}")));
                    }
                }
                Ok(())
            });
        }
        while let Some(sent) = timeout(PATIENCE, senders.join_next()).await? {
            sent??;
        }
        Ok(())
    }
}

/// Sends one delivery after the other until the connection ends.
async fn sender(
    mut connection: Connection,
    secret: ConsumerSecret,
    deliveries: Deliveries,
    shared: Arc<Shared>,
) -> io::Result<Sheet> {
    let mut sheet = Sheet::default();
    loop {
        let delivery = deliveries.next();
        match connection.exchange(&delivery.request(&secret)).await {
            Ok(200) => {
                sheet.acknowledged.push(delivery);
                if shared.acknowledged.fetch_add(1, SeqCst) + 1 == ACKNOWLEDGED {
                    shared.enough.notify_one();
                }
            }
            Ok(_) => sheet.refused += 1,
            Err(_) if shared.ending.load(SeqCst) => {
                sheet.unanswered.push(delivery);
                return Ok(sheet);
            }
            Err(error) => return Err(error),
        }
    }
}
