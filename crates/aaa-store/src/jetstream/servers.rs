//! The servers that somebody named, and what is secret in their URLs.

use async_nats::ServerAddr;
use percent_encoding::percent_decode_str;

/// What URLs begin with.
const SCHEMES: [&str; 4] = ["nats://", "tls://", "ws://", "wss://"];

/// Servers, and who we are there. Nothing is secret in the URLs any more.
pub(super) struct Servers {
    pub(super) addresses: Vec<ServerAddr>,
    pub(super) login: Option<Login>,
}

/// Who we are.
#[derive(PartialEq, Eq)]
pub(super) enum Login {
    Password { user: String, password: String },
    Token(String),
}

impl Servers {
    /// Reads URLs with commas between them. The first of them that names a user, or a token, does so
    /// for all. `None` where one cannot be read; its own words would repeat what is secret.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (mut addresses, mut login) = (Vec::new(), None);
        for (n, part) in text.split(',').map(str::trim).enumerate() {
            // Of a password that has a comma, the first half would be taken for a host.
            if n > 0 && part.contains('@') && !SCHEMES.iter().any(|it| part.starts_with(it)) {
                return None;
            }
            let mut url = part.parse::<ServerAddr>().ok()?.into_inner();
            let found = match (url.username(), url.password()) {
                ("", None) => None,
                ("", Some(token)) | (token, None) => Some(Login::Token(plain(token)?)),
                (user, Some(password)) => {
                    Some(Login::Password { user: plain(user)?, password: plain(password)? })
                }
            };
            if found.is_some() {
                url.set_username("").ok()?;
                url.set_password(None).ok()?;
            }
            login = login.or(found);
            let address = ServerAddr::from_url(url).ok()?;
            if address.host().is_empty() {
                return None;
            }
            addresses.push(address);
        }
        Some(Self { addresses, login })
    }

    /// Returns hosts and ports, for people.
    pub(super) fn names(&self) -> String {
        let name = |address: &ServerAddr| format!("{}:{}", address.host(), address.port());
        self.addresses.iter().map(name).collect::<Vec<_>>().join(", ")
    }
}

fn plain(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(text: &str) -> Option<(String, Option<String>)> {
        Servers::read(text).unwrap().login.map(|login| match login {
            Login::Password { user, password } => (user, Some(password)),
            Login::Token(token) => (token, None),
        })
    }

    #[test]
    fn the_first_that_says_who_we_are() {
        let both = |user: &str, password: &str| Some((user.to_owned(), Some(password.to_owned())));
        assert_eq!(login("nats://a:4222,b"), None);
        assert_eq!(login("nats://a, nats://me:p%40ss%2C@b, nats://you:no@c"), both("me", "p@ss,"));
        assert_eq!(login("me:a%3Ab@a:4222"), both("me", "a:b"));
        assert_eq!(login("tls://t%20ken@a"), Some(("t ken".to_owned(), None)));
        assert_eq!(login("nats://:token@a"), Some(("token".to_owned(), None)));
    }

    #[test]
    fn what_is_secret_in_a_url_is_not_shown() {
        let servers = Servers::read("nats://me:secret@a:4222, b:4222,tls://token@c").unwrap();
        assert_eq!(servers.names(), "a:4222, b:4222, c:4222");
        for address in &servers.addresses {
            assert!(!format!("{address:?}").contains("secret"), "{address:?}");
            assert!(!format!("{address:?}").contains("token"), "{address:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_repeated() {
        for text in [
            "nats://secret@",
            "",
            "nats://a,,b",
            "http://a",
            // A comma is to be written as %2C, a byte that is no text not at all.
            "nats://me:sec,ret@a",
            "nats://me:12,ret@a",
            "me:12,ret@a",
            "me:s@c,r@t@a",
            "nats://me:%ff@a",
        ] {
            assert!(Servers::read(text).is_none(), "{text}");
        }
    }
}
