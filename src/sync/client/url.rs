//! Where the server is: `redis://[[user]:password@]host[:port][/database]`, or `unix:///path`, with `?db=N` and
//! `&password=` as Redis clients write it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

#[derive(Debug, PartialEq, Eq)]
pub struct Address {
    pub place: Place,
    pub user: Option<Vec<u8>>,
    pub password: Option<Vec<u8>>,
    pub database: u32,
}

const HOW: &str = "write redis://[:password@]host:port/db or unix:///path";

impl Address {
    /// Err is a sentence, which never holds the password.
    pub fn parse(url: &[u8]) -> Result<Address, String> {
        let url = std::str::from_utf8(url).map_err(|_| format!("the URL is not UTF-8: {HOW}, other bytes as %XX"))?;
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(format!("the URL begins with no scheme: {HOW}"));
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (login, rest) = match rest.rsplit_once('@') {
            // In a path the sign may stand for itself; a login has no slash.
            Some((login, rest)) if !login.contains('/') => (login, rest),
            _ => ("", rest),
        };
        let (place, database) = match scheme {
            "redis" => tcp(rest)?,
            "unix" | "redis+unix" => (unix(rest)?, None),
            "rediss" => return Err(format!("rediss:// means TLS, which is not supported: {HOW}")),
            other => return Err(format!("the URL's scheme is '{other}': {HOW}")),
        };
        let (user, password) = login.split_once(':').map_or((login, None), |(user, word)| (user, Some(word)));
        let mut address = Address {
            place,
            user: (!user.is_empty()).then(|| decoded(user)),
            password: password.filter(|word| !word.is_empty()).map(decoded),
            database: database.unwrap_or(0),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("db", number)) => address.database = self::number("db", number)?,
                Some(("password" | "pass", word)) => address.password = Some(decoded(word)),
                Some(("username" | "user", name)) => address.user = Some(decoded(name)),
                _ => {
                    let name = pair.split('=').next().unwrap_or(pair);
                    return Err(format!("the URL's '{name}' is not known: after the ? write db=N or password=..."));
                }
            }
        }
        if address.user.is_some() && address.password.is_none() {
            return Err("the URL names a user without a password: write user:password@, or :password@".into());
        }
        Ok(address)
    }

    /// For sentences: where, and no password.
    pub fn shown(&self) -> String {
        match &self.place {
            Place::Tcp { host, port } if host.contains(':') => format!("redis://[{host}]:{port}"),
            Place::Tcp { host, port } => format!("redis://{host}:{port}"),
            Place::Unix(path) => format!("unix://{}", path.display()),
        }
    }
}

fn tcp(rest: &str) -> Result<(Place, Option<u32>), String> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => {
            let (host, after) = v6.split_once(']').ok_or("the URL's host has a [ without a ]: write [::1]:port")?;
            (host, after.strip_prefix(':'))
        }
        None => authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        None | Some("") => 6379,
        Some(port) => match port.parse::<u16>() {
            Ok(port) if port > 0 => port,
            _ => return Err(format!("the URL's port is '{port}': write a number from 1 to 65535")),
        },
    };
    let host = if host.is_empty() { "localhost" } else { host };
    let database = if path.is_empty() { None } else { Some(number("database", path.trim_end_matches('/'))?) };
    Ok((Place::Tcp { host: host.into(), port }, database))
}

fn unix(path: &str) -> Result<Place, String> {
    if !path.starts_with('/') {
        return Err("the URL's path does not begin with a slash: write unix:///path".into());
    }
    Ok(Place::Unix(OsString::from_vec(decoded(path)).into()))
}

fn number(what: &str, text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("the URL's {what} is '{text}': write a number such as 0"))
}

/// %XX stands for a byte; a % before anything else for itself.
fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digit = |i: usize| bytes.get(i).and_then(|&digit| char::from(digit).to_digit(16));
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Place {
        Place::Tcp { host: host.into(), port }
    }

    fn of(url: &str) -> Address {
        Address::parse(url.as_bytes()).unwrap()
    }

    #[test]
    fn urls_of_every_form_are_read() {
        let plain = |place| Address { place, user: None, password: None, database: 0 };
        assert_eq!(of("redis://"), plain(tcp("localhost", 6379)));
        assert_eq!(of("redis://example.org"), plain(tcp("example.org", 6379)));
        assert_eq!(of("redis://[::1]:7000"), plain(tcp("::1", 7000)));
        assert_eq!(of("unix:///run/a%20b.sock"), plain(Place::Unix("/run/a b.sock".into())));
        assert_eq!(of("unix:///run/a@b.sock"), plain(Place::Unix("/run/a@b.sock".into())));
        let full = of("redis://me:a%40b:c@10.0.0.1:7001/12");
        assert_eq!(full.place, tcp("10.0.0.1", 7001));
        assert_eq!((full.user, full.password, full.database), (Some(b"me".to_vec()), Some(b"a@b:c".to_vec()), 12));
        let alone = of("redis://:p@ss@host");
        assert_eq!((alone.user, alone.password), (None, Some(b"p@ss".to_vec())));
        let unix = of("unix://:secret@/s?db=3");
        assert_eq!((unix.password, unix.database), (Some(b"secret".to_vec()), 3));
        assert_eq!(of("unix:///s?password=x&db=1").password, Some(b"x".to_vec()));
    }

    #[test]
    fn what_is_no_url_is_answered_with_what_to_write() {
        for (url, part) in [
            ("", "no scheme"),
            ("localhost:6379", "no scheme"),
            ("http://localhost", "'http'"),
            ("rediss://localhost", "TLS"),
            ("redis://localhost:0", "port is '0'"),
            ("redis://localhost:port", "port is 'port'"),
            ("redis://localhost:99999", "port is '99999'"),
            ("redis://localhost/two", "database is 'two'"),
            ("redis://localhost/-1", "database is '-1'"),
            ("redis://[::1", "without a ]"),
            ("redis://me@localhost", "without a password"),
            ("unix://relative", "slash"),
            ("unix:///s?timeout=3", "'timeout'"),
        ] {
            let sentence = Address::parse(url.as_bytes()).unwrap_err();
            assert!(sentence.contains(part), "{url}: {sentence}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        assert!(!of("redis://:secret@host/1").shown().contains("secret"));
        let sentence = Address::parse(b"redis://:secret@host:none").unwrap_err();
        assert!(!sentence.contains("secret"), "{sentence}");
    }
}
