//! Field names (RFC 9110 §5.1). The names that this crate acts on have an identifier.

use crate::work;

macro_rules! names {
    ($($variant:ident $name:literal;)*) => {
        /// A field name that this crate acts on, or `Other`.
        #[allow(missing_docs, reason = "each is the field of its name")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Name { $($variant,)* Other }

        impl Name {
            /// Returns the usual spelling, empty for [`Name::Other`].
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* Self::Other => "" }
            }

            const ALL: &'static [Self] = &[$(Self::$variant,)*];
        }
    };
}

names! {
    Accept "Accept";
    AcceptCharset "Accept-Charset";
    AcceptEncoding "Accept-Encoding";
    AcceptLanguage "Accept-Language";
    AcceptRanges "Accept-Ranges";
    Age "Age";
    Authorization "Authorization";
    CacheControl "Cache-Control";
    CdnCacheControl "CDN-Cache-Control";
    CdnLoop "CDN-Loop";
    CacheStatus "Cache-Status";
    Connection "Connection";
    ContentEncoding "Content-Encoding";
    ContentLanguage "Content-Language";
    ContentLength "Content-Length";
    ContentLocation "Content-Location";
    ContentRange "Content-Range";
    ContentType "Content-Type";
    Cookie "Cookie";
    Date "Date";
    ETag "ETag";
    Expect "Expect";
    Expires "Expires";
    Forwarded "Forwarded";
    Host "Host";
    IfMatch "If-Match";
    IfModifiedSince "If-Modified-Since";
    IfNoneMatch "If-None-Match";
    IfRange "If-Range";
    IfUnmodifiedSince "If-Unmodified-Since";
    KeepAlive "Keep-Alive";
    LastModified "Last-Modified";
    Link "Link";
    Location "Location";
    MaxForwards "Max-Forwards";
    Pragma "Pragma";
    ProxyAuthenticate "Proxy-Authenticate";
    ProxyAuthenticationInfo "Proxy-Authentication-Info";
    ProxyAuthorization "Proxy-Authorization";
    ProxyConnection "Proxy-Connection";
    ProxyStatus "Proxy-Status";
    Range "Range";
    Referer "Referer";
    Refresh "Refresh";
    SetCookie "Set-Cookie";
    Te "TE";
    TidegateCacheControl "Tidegate-Cache-Control";
    Trailer "Trailer";
    TransferEncoding "Transfer-Encoding";
    Upgrade "Upgrade";
    UserAgent "User-Agent";
    Vary "Vary";
    Via "Via";
    XForwardedFor "X-Forwarded-For";
    XForwardedHost "X-Forwarded-Host";
    XForwardedProto "X-Forwarded-Proto";
}

/// Returns the place of a name in [`KNOWN`], from its length and its first and last letter. The
/// factors give each known name a place of its own. If two names met, the table would not compile,
/// and other factors would have to be found.
const fn place(name: &[u8]) -> usize {
    let [first, ..] = name else { return 0 };
    let last = name[name.len() - 1];
    let letters = first.to_ascii_lowercase() as usize * 2 + last.to_ascii_lowercase() as usize;
    (name.len() * 70 + letters) % PLACES
}

const PLACES: usize = 256;

const KNOWN: [Name; PLACES] = {
    let mut known = [Name::Other; PLACES];
    let mut i = 0;
    while i < Name::ALL.len() {
        let at = place(Name::ALL[i].as_str().as_bytes());
        assert!(matches!(known[at], Name::Other), "each name has a place of its own");
        known[at] = Name::ALL[i];
        i += 1;
    }
    known
};

impl Name {
    /// Returns the identifier of a name in any case.
    #[must_use]
    pub fn from_bytes(name: &[u8]) -> Self {
        work::count(name.len());
        let known = KNOWN[place(name)];
        let usual = known.as_str().as_bytes();
        // Most names have the usual spelling, for which a single comparison is enough.
        if usual == name || usual.eq_ignore_ascii_case(name) { known } else { Self::Other }
    }

    /// Returns the bit of this name in sets of names.
    pub(super) const fn bit(self) -> u64 {
        1 << self as u8
    }

    /// Returns true for fields that hold credentials (RFC 9110 §11).
    #[must_use]
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Authorization | Self::ProxyAuthorization)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case() {
        for &name in Name::ALL {
            assert_eq!(Name::from_bytes(name.as_str().to_ascii_lowercase().as_bytes()), name);
            assert_eq!(Name::from_bytes(name.as_str().to_ascii_uppercase().as_bytes()), name);
        }
        assert_eq!(Name::from_bytes(b"X-Forwarded"), Name::Other);
        assert_eq!(Name::from_bytes(b"a-name-longer-than-any-of-the-known-ones"), Name::Other);
        assert!(Name::ALL.len() < 64, "each name has a bit");
    }
}
