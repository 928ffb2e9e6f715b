#!/usr/bin/env bash
# CloudTrail's files from S3, told of by a queue: tags events into tagged.ndjson, closed alerts into alerts.ndjson.
#
#   QUEUE=https://sqs.eu-west-3.amazonaws.com/123456789012/trail bash pipelines/aws/s3-sqs.sh
#
# Needs the AWS command line and jq. The queue may get its messages from the bucket, from SNS (also CloudTrail's own topic)
# or from EventBridge. A message is deleted once its objects' events are written: what fails comes again.
set -euo pipefail

objects='.Body | fromjson | if .Message? then .Message | fromjson else . end
  | (.Records[]? | select(.s3) | "s3://\(.s3.bucket.name)/\(.s3.object.key)"),
    (select(.s3Bucket) | .s3Bucket as $bucket | .s3ObjectKey[] | "s3://\($bucket)/\(.)"),
    (select(.detail.object) | "s3://\(.detail.bucket.name)/\(.detail.object.key)")'

while message=$(aws sqs receive-message --queue-url "$QUEUE" --wait-time-seconds 20 --output json); do
  [ -n "$message" ] || continue
  failed=
  for object in $(jq -r ".Messages[] | $objects" <<< "$message"); do
    case $object in */CloudTrail-Digest/*) continue ;; esac
    # State is saved behind the events it covers, so that windows go on from object to object.
    aws s3 cp --only-show-errors "$object" - \
      | tripwasm run cloudtrail.wasm --quiet --state windows.state --alerts alerts.ndjson >> tagged.ndjson || failed=yes
  done
  [ -n "$failed" ] && continue
  jq -r '.Messages[].ReceiptHandle' <<< "$message" | while read -r receipt; do
    aws sqs delete-message --queue-url "$QUEUE" --receipt-handle "$receipt"
  done
done
