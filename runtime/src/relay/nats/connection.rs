//! Connecting, and what stands in the way.

use std::time::Duration;

use async_nats::jetstream::{self, Context};
use async_nats::{ConnectErrorKind, ConnectOptions, ServerAddr};

/// How long the server may take to answer.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A connection that was made when it was needed; the client makes it anew by itself when it broke.
#[derive(Debug)]
pub(super) struct Connection {
    address: ServerAddr,
    options: ConnectOptions,
    context: Option<Context>,
}

/// Why there is none.
pub(super) enum NotConnected {
    /// It may be there later.
    Yet(async_nats::ConnectError),
    /// Not as things stand; what to do.
    Ever(&'static str, async_nats::ConnectError),
}

impl Connection {
    pub(super) fn to(url: &str) -> std::io::Result<Self> {
        Ok(Self {
            address: url.parse()?,
            options: ConnectOptions::new().connection_timeout(ANSWER_WITHIN),
            context: None,
        })
    }

    pub(super) fn set_options(&mut self, options: ConnectOptions) {
        self.options = options;
        self.context = None;
    }

    /// The address for messages, without the password.
    pub(super) fn shown(&self, what: &str) -> String {
        format!(
            "nats://{}:{}/{what}",
            self.address.host(),
            self.address.port()
        )
    }

    pub(super) async fn context(
        &mut self,
        answer_within: Duration,
    ) -> Result<Context, NotConnected> {
        if let Some(context) = &self.context {
            return Ok(context.clone());
        }
        let connected = self.options.clone().connect(self.address.clone()).await;
        let client = connected.map_err(|error| match error.kind() {
            ConnectErrorKind::ServerParse | ConnectErrorKind::Tls => {
                NotConnected::Ever("look at the URL, and at the options for TLS", error)
            }
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                NotConnected::Ever(
                    "write the user and the password into the URL, `nats://USER:PASSWORD@HOST`, or give options",
                    error,
                )
            }
            _ => NotConnected::Yet(error),
        })?;
        let mut context = jetstream::new(client);
        context.set_timeout(answer_within);
        Ok(self.context.insert(context).clone())
    }
}
