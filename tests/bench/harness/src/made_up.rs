//! Made-up rules, the same for the same number: what a site with many rules for CloudTrail has.

/// Services with calls that exist; real events carry some of them.
const CALLS: &[(&str, &[&str])] = &[
    (
        "iam",
        &[
            "CreateUser",
            "DeleteUser",
            "AttachUserPolicy",
            "PutRolePolicy",
            "CreateAccessKey",
            "UpdateLoginProfile",
        ],
    ),
    (
        "ec2",
        &["RunInstances", "AuthorizeSecurityGroupIngress", "CreateRoute", "ImportKeyPair", "DeleteFlowLogs"],
    ),
    ("s3", &["PutBucketPolicy", "DeleteBucket", "PutBucketAcl", "PutLifecycleConfiguration", "GetBucketAcl"]),
    ("kms", &["DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy", "CreateGrant"]),
    ("lambda", &["CreateFunction20150331", "UpdateFunctionCode20150331v2", "AddPermission20150331v2"]),
    ("rds", &["ModifyDBInstance", "DeleteDBCluster", "RestoreDBInstanceFromDBSnapshot"]),
    ("cloudtrail", &["StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors"]),
    ("sts", &["GetFederationToken", "GetSessionToken", "AssumeRoleWithSAML"]),
    ("ssm", &["SendCommand", "StartSession", "GetParameters"]),
    ("eks", &["CreateCluster", "DeleteCluster", "UpdateClusterConfig"]),
];

const IDENTITIES: &[&str] = &["Root", "IAMUser", "AssumedRole", "FederatedUser", "AWSAccount"];
const ERRORS: &[&str] = &["AccessDenied", "UnauthorizedOperation", "ThrottlingException", "NoSuchEntity"];
const CLIENTS: &[&str] = &["kali", "parrot", "pacu", "S3 Browser", "TruffleHog", "python-requests"];

/// The rules as files: name and text.
pub(crate) fn rules(count: u32) -> Vec<(String, String)> {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ u64::from(count));
    (0..count).map(|number| (format!("generated_{number:05}.yml"), rule(number, &mut dice))).collect()
}

fn rule(number: u32, dice: &mut Dice) -> String {
    let (service, calls) = dice.of(CALLS);
    let mut lines = vec![format!("    eventSource: {service}.amazonaws.com")];
    lines.push(match dice.below(10) {
        // Most name one call that few events carry; the number keeps names apart.
        0..=4 => format!("    eventName: {}{}", dice.of(calls), suffix(number, dice)),
        5..=7 => {
            let some = |dice: &mut Dice| format!("\n      - {}{}", dice.of(calls), suffix(number, dice));
            format!("    eventName:{}", (0..2 + dice.below(5)).map(|_| some(dice)).collect::<String>())
        }
        8 => format!("    eventName: '*{}{}*'", dice.of(calls), suffix(number, dice)),
        _ => format!("    eventName|startswith: {}{}", dice.of(calls), suffix(number, dice)),
    });
    let mut filter = String::new();
    match dice.below(6) {
        0 => lines.push(format!("    errorCode: {}", dice.of(ERRORS))),
        1 => lines.push(format!("    userIdentity.type: {}", dice.of(IDENTITIES))),
        2 => lines.push(format!("    userAgent|contains: {}", dice.of(CLIENTS))),
        3 => filter = format!("\n  filter:\n    userIdentity.type: {}", dice.of(IDENTITIES)),
        4 => filter = "\n  filter:\n    userAgent|endswith: .amazonaws.com".to_owned(),
        _ => {}
    }
    let condition = if filter.is_empty() { "selection" } else { "selection and not filter" };
    format!(
        "title: Made-up rule {number}\nid: 00000000-0000-4000-8000-{number:012}\nname: generated_{number:05}\n\
         logsource:\n  product: aws\n  service: cloudtrail\ndetection:\n  selection:\n{}{filter}\n  condition: {condition}\n\
         level: medium\n",
        lines.join("\n")
    )
}

/// One call in ten is a real one, so that some rules match.
fn suffix(number: u32, dice: &mut Dice) -> String {
    if dice.below(10) == 0 { String::new() } else { format!("V{number}") }
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        let at = self.below(list.len() as u64) as usize;
        list[at]
    }
}

#[cfg(test)]
mod tests {
    use super::rules;

    #[test]
    fn the_same_number_gives_the_same_rules() {
        assert_eq!(rules(300), rules(300));
        assert!(rules(300).iter().any(|(_, text)| text.contains("'*")), "none with wildcards");
    }
}
