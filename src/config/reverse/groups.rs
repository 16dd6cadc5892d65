//! Groups of origins by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::proxy::OriginGroup;

/// Groups of origins by name.
pub(super) type Groups = BTreeMap<String, Arc<OriginGroup>>;
