#!/bin/sh
# Build $IMAGE from $SOURCE with Cloud Build, unless it is there: its tag tells its content.
set -eu
if gcloud artifacts docker images describe "$IMAGE" --project="$PROJECT" --quiet >/dev/null 2>&1; then
  echo "$IMAGE is there"
  exit 0
fi
config=$(mktemp)
trap 'rm -f "$config"' EXIT
cat >"$config" <<YAML
steps:
  - name: gcr.io/cloud-builders/docker
    env: [DOCKER_BUILDKIT=1]
    args: [build, --file, $DOCKERFILE, --tag, $IMAGE, .]
images: [$IMAGE]
serviceAccount: $ACCOUNT
options: {logging: CLOUD_LOGGING_ONLY}
timeout: 1200s
YAML
gcloud builds submit "$SOURCE" --config="$config" --project="$PROJECT" --region="$REGION" --quiet
