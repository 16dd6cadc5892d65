//! Sources of a response's freshness lifetime.

/// Source of a freshness lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifetimeSource {
    /// The `s-maxage` directive.
    SharedMaxAge,
    /// The `max-age` directive.
    MaxAge,
    /// The `Expires` field.
    Expires,
    /// The time since the last modification (RFC 9111 §4.2.2).
    LastModified,
    /// A rule of the operator.
    Rule,
    /// The operator, for all responses of a route, whatever the origin says.
    Route,
    /// A soft purge that made the response stale.
    Purge,
    /// No source: the response is not fresh.
    Nothing,
}

impl LifetimeSource {
    /// Returns the word for the source in explanations: the directive, the field, or another name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SharedMaxAge => "s-maxage",
            Self::MaxAge => "max-age",
            Self::Expires => "expires",
            Self::LastModified => "last-modified",
            Self::Rule => "rule",
            Self::Route => "route",
            Self::Purge => "purge",
            Self::Nothing => "nothing",
        }
    }
}
