#!/bin/sh
# Build the two images $REGISTRY/{functions,dbt-runner}:$TAG with Cloud Build, unless both are there: the tag is a hash
# of what they are made from. Terraform sets ACCOUNT, BUCKET, DATABASE (for which dbt parses), PROJECT, PYTHON (the base
# image), REGION, REGISTRY, ROOT (the repository) and TAG.
set -eu
is_there() {
  gcloud artifacts docker images describe "$REGISTRY/$1:$TAG" --project="$PROJECT" --quiet >/dev/null 2>&1
}
if is_there functions && is_there dbt-runner; then
  echo "$REGISTRY: the images of $TAG are there"
  exit 0
fi
# The commit is a label of the images; without one, as in a copy without git, the label is empty.
revision=$(git -C "$ROOT" describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null) || revision=
config=$(mktemp)
trap 'rm -f "$config"' EXIT
cat >"$config" <<YAML
steps:
  # The base image by its digest, so that both images have the same one, and a label says which.
  - id: base
    name: gcr.io/cloud-builders/docker
    env: ["PYTHON=$PYTHON"]
    script: |
      #!/bin/sh
      set -eu
      docker pull --quiet "\$PYTHON"
      digest=\$(docker inspect --format '{{index .RepoDigests 0}}' "\$PYTHON")
      echo "\${PYTHON%@*}@\${digest#*@}" >/workspace/base
      grep -E '@sha256:[0-9a-f]{64}\$' /workspace/base
  - id: images
    name: gcr.io/cloud-builders/docker
    env: [DOCKER_BUILDKIT=1, "DATABASE=$DATABASE", "REGISTRY=$REGISTRY", "REVISION=$revision", "TAG=$TAG"]
    script: |
      #!/bin/sh
      set -eu
      base=\$(cat /workspace/base)
      build() {
        docker build --file jobs/dbt-runner/Dockerfile --target "\$1" --tag "\$REGISTRY/\$2:\$TAG" \\
          --build-arg PYTHON="\$base" --build-arg BASE_DIGEST="\${base#*@}" --build-arg REVISION="\$REVISION" \\
          --build-arg MILLRACE_DATABASE="\$DATABASE" .
      }
      build functions functions
      build job dbt-runner
images: ["$REGISTRY/functions:$TAG", "$REGISTRY/dbt-runner:$TAG"]
serviceAccount: $ACCOUNT
options: {logging: CLOUD_LOGGING_ONLY}
timeout: 1800s
YAML
# Without a staging folder gcloud makes a bucket of its own, which the build account cannot read.
gcloud builds submit "$ROOT" --ignore-file=jobs/dbt-runner/Dockerfile.dockerignore \
  --gcs-source-staging-dir="gs://$BUCKET/staged" --config="$config" --project="$PROJECT" --region="$REGION" --quiet
