//! How a connection is encrypted, and whose certificates are trusted.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{
    WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Whether a connection is encrypted, and how the server must show who it is: `sslmode` in a URL, with the names that libpq has.
///
/// | `sslmode` | encrypted | the server's certificate |
/// |---|---|---|
/// | `disable` | no | |
/// | `prefer` | if the server can | may be any |
/// | `require` | yes | may be any; with `sslrootcert` as `verify-ca` |
/// | `verify-ca` | yes | is signed by one of `sslrootcert` |
/// | `verify-full` | yes | is signed by one of `sslrootcert`, or one that this machine trusts, and is for the host of the URL |
///
/// Only `verify-full` keeps out somebody between here and the server; `verify-ca` does where nobody else gets certificates from
/// that CA.
///
/// # Where it differs from libpq
/// - `allow` is not known.
/// - `prefer` takes no `sslrootcert`: it would go on without TLS where a check fails.
/// - Files are only read where the URL names them, never from `~/.postgresql`. `verify-full` without `sslrootcert` trusts whom this
///   machine trusts, as `sslrootcert=system` does; `verify-ca` asks for a file, since anybody gets a certificate from a public CA.
/// - The host's name must stand among the certificate's alternative names (`subjectAltName`); its common name is not looked at.
/// - A certificate that signs itself can stand in `sslrootcert` only if it is no CA's (`CA:FALSE`).
///
/// ```
/// use recount::store::postgres::{PostgresOptions, TlsMode};
///
/// let url = "postgres://clerk@db.example.com/bank";
/// let options = PostgresOptions::from_url(url)?.tls(TlsMode::VerifyFull);
/// assert_eq!(options, PostgresOptions::from_url(&format!("{url}?sslmode=verify-full"))?);
/// # Ok::<(), recount::store::ConnectError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TlsMode {
    /// Not encrypted.
    Disable,
    /// Encrypted where the server can do it, with whomever.
    #[default]
    Prefer,
    /// Encrypted, with whomever; with somebody whom the given certificates vouch for, if there are some.
    Require,
    /// Encrypted, with somebody whom the given certificates vouch for.
    VerifyCa,
    /// Encrypted, with the host that the URL names.
    VerifyFull,
}

impl TlsMode {
    /// The mode of this name, as libpq has it.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "disable" => Self::Disable,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return None,
        })
    }
}

impl fmt::Display for TlsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        })
    }
}

/// What is known of TLS before anybody connects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tls {
    pub(super) mode: TlsMode,
    /// Whom to trust; nobody in particular when there is none.
    pub(super) roots: Option<PathBuf>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

/// The name that stands for the certificates of this machine.
const SYSTEM: &str = "system";

/// An option that cannot be as it is, and why.
pub(super) struct Refused {
    pub(super) option: String,
    pub(super) reason: String,
}

impl Tls {
    /// What connects with TLS; `None` when nothing is to be encrypted.
    pub(super) fn connector(&self) -> Result<Option<MakeRustlsConnect>, Refused> {
        let is_system = self.roots.as_deref() == Some(Path::new(SYSTEM));
        let refused = |reason: &str| {
            Err(Refused {
                option: format!("sslmode={}", self.mode),
                reason: reason.to_owned(),
            })
        };
        let roots = match (self.mode, &self.roots) {
            (TlsMode::Disable | TlsMode::Prefer, Some(_)) => {
                return refused(
                    "who names `sslrootcert` writes sslmode=verify-full, verify-ca or require",
                );
            }
            (TlsMode::Disable, None) => return Ok(None),
            (TlsMode::Prefer | TlsMode::Require, None) => None,
            (TlsMode::VerifyCa, None) => {
                return refused(
                    "name the file of the CA's certificate with `sslrootcert`, or write sslmode=verify-full",
                );
            }
            (TlsMode::Require | TlsMode::VerifyCa, Some(_)) if is_system => {
                return refused(
                    "anybody gets a certificate from a public CA; write sslmode=verify-full",
                );
            }
            (TlsMode::VerifyFull, None) => Some(trusted_here()?),
            (TlsMode::VerifyFull, Some(_)) if is_system => Some(trusted_here()?),
            (_, Some(file)) => Some(read_roots(file)?),
        };
        let provider = Arc::new(ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let unusable = |error: rustls::Error| Refused {
            option: format!("sslmode={}", self.mode),
            reason: error.to_string(),
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let config = match roots {
            Some(roots) if self.mode == TlsMode::VerifyFull => config.with_root_certificates(roots),
            roots => config
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyName { roots, algorithms })),
        };
        let mut config = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                let chain = read_certificates("sslcert", certificate)?;
                let own = PrivateKeyDer::from_pem_file(key);
                let own = own.map_err(|error| unreadable("sslkey", key, &error.to_string()))?;
                config.with_client_auth_cert(chain, own).map_err(unusable)?
            }
            (None, None) => config.with_no_client_auth(),
            (Some(file), None) => {
                return Err(unreadable(
                    "sslcert",
                    file,
                    "its key is missing: name it with `sslkey`",
                ));
            }
            (None, Some(file)) => {
                return Err(unreadable(
                    "sslkey",
                    file,
                    "its certificate is missing: name it with `sslcert`",
                ));
            }
        };
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(Some(MakeRustlsConnect::new(config)))
    }
}

fn unreadable(option: &str, file: &Path, reason: &str) -> Refused {
    Refused {
        option: format!("{option}={}", file.display()),
        reason: reason.to_owned(),
    }
}

fn read_certificates(option: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, Refused> {
    let read = |file| CertificateDer::pem_file_iter(file)?.collect::<Result<Vec<_>, _>>();
    match read(file) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(unreadable(
            option,
            file,
            "the file holds no certificate in PEM",
        )),
        Err(error) => Err(unreadable(option, file, &error.to_string())),
    }
}

fn read_roots(file: &Path) -> Result<RootCertStore, Refused> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates("sslrootcert", file)? {
        let added = roots.add(certificate);
        added.map_err(|error| unreadable("sslrootcert", file, &error.to_string()))?;
    }
    Ok(roots)
}

/// Whom this machine trusts.
fn trusted_here() -> Result<RootCertStore, Refused> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Old ones among them may be such as nobody can use.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let reason = "this machine has no list of trusted certificates; name a file";
        return Err(unreadable("sslrootcert", Path::new(SYSTEM), reason));
    }
    Ok(roots)
}

/// Takes a certificate for whatever host it is: one that the roots vouch for, or without roots any.
#[derive(Debug)]
struct AnyName {
    roots: Option<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            let certificate = ParsedCertificate::try_from(end_entity)?;
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                roots,
                intermediates,
                now,
                self.algorithms.all,
            )?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What to do about a connection that did not become an encrypted one; `None` when that is not what went wrong.
pub(super) fn advice(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    // The driver tells only by its words that the server has no TLS.
    let is_handshake = error
        .to_string()
        .starts_with("error performing TLS handshake");
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(advice_on(error));
        }
        let inner = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        cause = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
        if is_handshake && error.to_string().contains("server does not support TLS") {
            return Some("it offers no TLS; set `ssl = on` there, or write sslmode=disable where nobody can listen".to_owned());
        }
    }
    is_handshake.then(|| "the handshake failed".to_owned())
}

fn advice_on(error: &rustls::Error) -> String {
    use CertificateError as Bad;
    match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::UnknownIssuer => "nobody who is trusted here signed its certificate; name the file of its CA with `sslrootcert`".to_owned(),
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                "its certificate is for another host; write a host that the certificate names, or trust its CA alone with sslmode=verify-ca"
                    .to_owned()
            }
            Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                "its certificate is out of date; renew it, or set the clock of this machine".to_owned()
            }
            other => format!("its certificate cannot be used ({other:?}); give it another one"),
        },
        rustls::Error::AlertReceived(alert) => format!(
            "it refused the handshake ({alert:?}); if it asks for a certificate, name one with `sslcert` and `sslkey`"
        ),
        other => format!("the handshake failed ({other})"),
    }
}
