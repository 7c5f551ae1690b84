//! A way to a server that can be cut.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

use super::nats::Nats;

/// Passes everything on, except that the first words that were chosen get lost, and with them the
/// connection. Those who come again get through.
pub(crate) struct Way {
    address: SocketAddr,
    was_cut: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
}

impl Way {
    /// Leads to the only server; these words of a client get lost.
    pub(crate) fn to(nats: &Nats, lost: &'static str) -> Self {
        let server = nats.0.urls(0).trim_start_matches("nats://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (was_cut, ended) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let (cut, end) = (Arc::clone(&was_cut), Arc::clone(&ended));
        thread::spawn(move || {
            for client in listener.incoming() {
                if end.load(SeqCst) {
                    return;
                }
                let Ok(client) = client else { continue };
                let Ok(server) = TcpStream::connect(&server) else { continue };
                let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || {
                    let (mut server, mut client) = back;
                    let _ = io::copy(&mut server, &mut client);
                    close(&server, &client);
                });
                let cut = Arc::clone(&cut);
                thread::spawn(move || {
                    let _ = pass(&client, &server, lost, &cut);
                    close(&server, &client);
                });
            }
        });
        Self { address, was_cut, ended }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Says whether the words were lost.
    pub(crate) fn was_cut(&self) -> bool {
        self.was_cut.load(SeqCst)
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.ended.store(true, SeqCst);
        // Whoever waits for a client gets one.
        let _ = TcpStream::connect(self.address);
    }
}

fn pass(
    mut client: &TcpStream,
    mut server: &TcpStream,
    lost: &str,
    was_cut: &AtomicBool,
) -> io::Result<()> {
    let mut buffer = [0; 64 * 1024];
    loop {
        let read = client.read(&mut buffer)?;
        let bytes = &buffer[..read];
        let is_lost = bytes.windows(lost.len()).any(|words| words == lost.as_bytes());
        if read == 0 || (is_lost && !was_cut.swap(true, SeqCst)) {
            return Ok(());
        }
        server.write_all(bytes)?;
    }
}

fn close(server: &TcpStream, client: &TcpStream) {
    // One of them is closed already.
    let _ = server.shutdown(Shutdown::Both);
    let _ = client.shutdown(Shutdown::Both);
}
