//! The members of a CloudTrail event, as the AWS CloudTrail User Guide documents the record contents, the `userIdentity`
//! element and the events of Insights, network activity and enrichment.

use crate::spelling::nearest;

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text, number or boolean; one at most, for no array is on its way.
    Scalar,
    /// A scalar of each element of an array.
    Scalars,
    /// An object whose members are documented.
    Object,
    /// An object whose members depend on the service.
    Open,
    /// An array of objects.
    Array,
}

use Kind::{Array, Object, Open, Scalar, Scalars};

/// Every documented path, sorted.
pub(super) const MEMBERS: [(&str, Kind); 82] = [
    ("addendum", Object),
    ("addendum.originalEventID", Scalar),
    ("addendum.originalRequestID", Scalar),
    ("addendum.reason", Scalar),
    ("addendum.updatedFields", Scalar),
    ("additionalEventData", Open),
    ("apiVersion", Scalar),
    ("awsRegion", Scalar),
    ("edgeDeviceDetails", Open),
    ("errorCode", Scalar),
    ("errorMessage", Scalar),
    ("eventCategory", Scalar),
    ("eventContext", Object),
    ("eventContext.requestContext", Open),
    ("eventContext.tagContext", Open),
    ("eventID", Scalar),
    ("eventName", Scalar),
    ("eventSource", Scalar),
    ("eventTime", Scalar),
    ("eventType", Scalar),
    ("eventVersion", Scalar),
    ("insightDetails", Open),
    ("managementEvent", Scalar),
    ("readOnly", Scalar),
    ("recipientAccountId", Scalar),
    ("requestID", Scalar),
    ("requestParameters", Open),
    ("resources", Array),
    ("resources.ARN", Scalars),
    ("resources.ARNPrefix", Scalars),
    ("resources.accountId", Scalars),
    ("resources.type", Scalars),
    ("responseElements", Open),
    ("serviceEventDetails", Open),
    ("sessionCredentialFromConsole", Scalar),
    ("sharedEventID", Scalar),
    ("sourceIPAddress", Scalar),
    ("tlsDetails", Object),
    ("tlsDetails.cipherSuite", Scalar),
    ("tlsDetails.clientProvidedHostHeader", Scalar),
    ("tlsDetails.keyExchange", Scalar),
    ("tlsDetails.tlsVersion", Scalar),
    ("userAgent", Scalar),
    ("userIdentity", Object),
    ("userIdentity.accessKeyId", Scalar),
    ("userIdentity.accountId", Scalar),
    ("userIdentity.arn", Scalar),
    ("userIdentity.credentialId", Scalar),
    ("userIdentity.identityProvider", Scalar),
    ("userIdentity.inScopeOf", Object),
    ("userIdentity.inScopeOf.credentialsIssuedTo", Scalar),
    ("userIdentity.inScopeOf.issuerType", Scalar),
    ("userIdentity.inScopeOf.sourceAccount", Scalar),
    ("userIdentity.inScopeOf.sourceArn", Scalar),
    ("userIdentity.invokedBy", Scalar),
    ("userIdentity.invokedByDelegate", Object),
    ("userIdentity.invokedByDelegate.accountId", Scalar),
    ("userIdentity.onBehalfOf", Object),
    ("userIdentity.onBehalfOf.identityStoreArn", Scalar),
    ("userIdentity.onBehalfOf.userId", Scalar),
    ("userIdentity.principalId", Scalar),
    ("userIdentity.sessionContext", Object),
    ("userIdentity.sessionContext.assumedRoot", Scalar),
    ("userIdentity.sessionContext.attributes", Object),
    ("userIdentity.sessionContext.attributes.creationDate", Scalar),
    ("userIdentity.sessionContext.attributes.mfaAuthenticated", Scalar),
    ("userIdentity.sessionContext.ec2IssuedInVpc", Scalar),
    ("userIdentity.sessionContext.ec2RoleDelivery", Scalar),
    ("userIdentity.sessionContext.sessionIssuer", Object),
    ("userIdentity.sessionContext.sessionIssuer.accountId", Scalar),
    ("userIdentity.sessionContext.sessionIssuer.arn", Scalar),
    ("userIdentity.sessionContext.sessionIssuer.principalId", Scalar),
    ("userIdentity.sessionContext.sessionIssuer.type", Scalar),
    ("userIdentity.sessionContext.sessionIssuer.userName", Scalar),
    ("userIdentity.sessionContext.sourceIdentity", Scalar),
    ("userIdentity.sessionContext.webIdFederationData", Object),
    ("userIdentity.sessionContext.webIdFederationData.attributes", Open),
    ("userIdentity.sessionContext.webIdFederationData.federatedProvider", Scalar),
    ("userIdentity.type", Scalar),
    ("userIdentity.userName", Scalar),
    ("vpcEndpointAccountId", Scalar),
    ("vpcEndpointId", Scalar),
];

/// Top-level attributes of OCSF's API Activity, the form of CloudTrail's events in Amazon Security Lake, sorted.
pub(super) const OCSF_MEMBERS: [&str; 36] = [
    "accountid",
    "activity_id",
    "activity_name",
    "actor",
    "api",
    "category_name",
    "category_uid",
    "class_name",
    "class_uid",
    "cloud",
    "confidence",
    "count",
    "dst_endpoint",
    "duration",
    "end_time",
    "enrichments",
    "http_request",
    "http_response",
    "message",
    "metadata",
    "observables",
    "raw_data",
    "region",
    "severity",
    "severity_id",
    "src_endpoint",
    "start_time",
    "status_code",
    "status_detail",
    "status_id",
    "time",
    "time_dt",
    "timezone_offset",
    "type_name",
    "type_uid",
    "unmapped",
];

/// What stands at a path; `None` if CloudTrail documents no such member. Indices (`resources[0]`) count as elements.
pub(super) fn kind_of(path: &str) -> Option<Kind> {
    let plain = without_indices(path);
    let mut ends = plain.match_indices('.').map(|(at, _)| at).chain([plain.len()]);
    let first = plain.split('.').next().unwrap_or_default();
    if OCSF_MEMBERS.binary_search(&first).is_ok() {
        return Some(Open);
    }
    loop {
        let prefix = plain.get(..ends.next()?)?;
        let at = MEMBERS.binary_search_by_key(&prefix, |&(known, _)| known).ok()?;
        let &(_, kind) = MEMBERS.get(at)?;
        match kind {
            _ if prefix.len() == plain.len() => return Some(kind),
            Open => return Some(Scalars),
            Object | Array => {}
            Scalar | Scalars => return None,
        }
    }
}

/// The documented path that a name was probably meant to be: the same but for letter case, one with the same last part,
/// or a slip away.
pub(super) fn near(path: &str) -> Option<&'static str> {
    let known = || MEMBERS.iter().map(|&(known, _)| known);
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_lowercase();
    let same = known().find(|known| known.eq_ignore_ascii_case(path));
    let ends_alike =
        known().filter(|known| last(known) == last(path)).min_by_key(|known| match path.contains('.') {
            true => strsim::osa_distance(known, path),
            // A bare `type` or `arn` is mostly the caller's.
            false => usize::from(!known.starts_with("userIdentity.")),
        });
    same.or(ends_alike).or_else(|| nearest(path, known()))
}

fn without_indices(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    for (number, part) in path.split('.').enumerate() {
        plain.push_str(if number > 0 { "." } else { "" });
        plain.push_str(part.split('[').next().unwrap_or_default());
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted() {
        assert!(MEMBERS.is_sorted_by(|(one, _), (other, _)| one < other));
        assert!(OCSF_MEMBERS.is_sorted_by(|one, other| one < other));
    }

    #[test]
    fn paths_have_kinds() {
        let cases = [
            ("eventName", Some(Scalar)),
            ("eventname", None),
            ("eventName.inner", None),
            ("requestParameters", Some(Open)),
            ("requestParameters.a.b", Some(Scalars)),
            ("resources[0].ARN", Some(Scalars)),
            ("resources.arn", None),
            ("userIdentity.sessionContext", Some(Object)),
            ("userIdentity.sessionContext.issuer", None),
            ("api.operation", Some(Open)),
        ];
        for (path, expected) in cases {
            assert_eq!(kind_of(path), expected, "{path}");
        }
        assert_eq!(near("eventname"), Some("eventName"));
        assert_eq!(near("sourceIpAdress"), Some("sourceIPAddress"));
        assert_eq!(near("mfaAuthenticated"), Some("userIdentity.sessionContext.attributes.mfaAuthenticated"));
        assert_eq!(near("arn"), Some("userIdentity.arn"));
        assert_eq!(near("resources.arn"), Some("resources.ARN"));
        assert_eq!(near("status"), None);
    }
}
