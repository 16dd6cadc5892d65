//! Sources of a response's freshness lifetime.

/// What says how long a response is fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifetimeSource {
    /// `s-maxage`.
    SharedMaxAge,
    /// `max-age`.
    MaxAge,
    /// `Expires`.
    Expires,
    /// The time since it was last modified (RFC 9111 §4.2.2).
    LastModified,
    /// A rule of the operator.
    Rule,
    /// A purge that made it stale.
    Purge,
    /// Nothing does: it is not fresh.
    Nothing,
}

impl LifetimeSource {
    /// A word for it: the directive or field, or what else it is.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SharedMaxAge => "s-maxage",
            Self::MaxAge => "max-age",
            Self::Expires => "expires",
            Self::LastModified => "last-modified",
            Self::Rule => "rule",
            Self::Purge => "purge",
            Self::Nothing => "nothing",
        }
    }
}
