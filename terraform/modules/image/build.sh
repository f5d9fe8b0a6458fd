#!/bin/sh
# Build the images functions:$TAG and dbt-runner:$TAG from the checkout $ROOT, in one build, unless both are there.
set -eu
missing=
for name in functions dbt-runner; do
  gcloud artifacts docker images describe "$REGISTRY/$name:$TAG" --project="$PROJECT" --quiet >/dev/null 2>&1 || missing=1
done
[ -n "$missing" ] || exit 0
config=$(mktemp)
trap 'rm -f "$config"' EXIT
cat >"$config" <<YAML
steps:
  - name: gcr.io/cloud-builders/docker
    env: [DOCKER_BUILDKIT=1]
    args: [build, --file=jobs/dbt-runner/Dockerfile, --target=functions, --build-arg=PYTHON=$PYTHON, "--tag=$REGISTRY/functions:$TAG", .]
  - name: gcr.io/cloud-builders/docker
    env: [DOCKER_BUILDKIT=1]
    args: [build, --file=jobs/dbt-runner/Dockerfile, --build-arg=PYTHON=$PYTHON, "--tag=$REGISTRY/dbt-runner:$TAG", .]
images: ["$REGISTRY/functions:$TAG", "$REGISTRY/dbt-runner:$TAG"]
serviceAccount: $ACCOUNT
options: {logging: CLOUD_LOGGING_ONLY}
timeout: 1800s
YAML
gcloud builds submit "$ROOT" --config="$config" --gcs-source-staging-dir="gs://$BUCKET/staged" \
  --project="$PROJECT" --region="$REGION" --quiet
