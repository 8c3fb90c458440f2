//! A network between a store and its server that can fail.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Passes on everything.
    Works,
    /// Passes on what is asked, and keeps the answers.
    HoldsAnswers,
    /// Is gone: connections break, and new ones break at once.
    Broken,
}

/// Passes on what it is sent, while the network works.
pub struct Proxy {
    pub port: u16,
    network: Arc<watch::Sender<Network>>,
    /// How much was asked.
    asked: Arc<watch::Sender<usize>>,
}

impl Proxy {
    /// Stands before the server at this address.
    pub async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let network = Arc::new(watch::Sender::new(Network::Works));
        let states = Arc::clone(&network);
        let asked = Arc::new(watch::Sender::new(0));
        let counts = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, states) = (server.clone(), states.subscribe());
                tokio::spawn(pass(client, server, states, Arc::clone(&counts)));
            }
        });
        Self {
            port,
            network,
            asked,
        }
    }

    pub fn set(&self, network: Network) {
        self.network.send_replace(network);
    }

    /// Waits until something more is asked.
    pub async fn asked(&self) {
        let mut asked = self.asked.subscribe();
        asked.changed().await.unwrap();
    }

    /// Breaks all connections; new ones work.
    pub async fn cut(&self) {
        self.set(Network::Broken);
        // Each connection watches, and none is left.
        while self.network.receiver_count() > 0 {
            tokio::task::yield_now().await;
        }
        self.set(Network::Works);
    }
}

/// Passes on both ways until an end closes or the network breaks.
async fn pass(
    mut client: TcpStream,
    server: String,
    mut states: watch::Receiver<Network>,
    asks: Arc<watch::Sender<usize>>,
) {
    let Ok(mut server) = TcpStream::connect(server).await else {
        return;
    };
    let (mut asked, mut answered) = (vec![0; 16 << 10], vec![0; 16 << 10]);
    loop {
        let network = *states.borrow_and_update();
        if network == Network::Broken {
            return;
        }
        tokio::select! {
            _ = states.changed() => {}
            count = client.read(&mut asked) => match count {
                Ok(count) if count > 0 => {
                    if server.write_all(&asked[..count]).await.is_err() {
                        return;
                    }
                    asks.send_modify(|asked| *asked += count);
                }
                _ => return,
            },
            count = server.read(&mut answered), if network == Network::Works => match count {
                Ok(count) if count > 0 => {
                    if client.write_all(&answered[..count]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}
