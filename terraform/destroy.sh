#!/bin/sh
# Remove what can be made again; with "delete" as second word the data too, if the deployment was configured so before.
# Usage: destroy.sh ENVIRONMENT keep|delete [options of terraform destroy]
set -eu
cd "$(dirname "$0")"
environment=$1 data=$2
shift 2
terraform init -input=false >/dev/null
terraform workspace select "$environment"

if [ "$data" = delete ]; then
  if [ "$(terraform output -raw keeps_data)" != false ]; then
    echo "The data is protected. Deploy first: make deploy ENV=$environment ARGS=-var=delete_data=true" >&2
    exit 2
  fi
  exec terraform destroy -var-file="envs/$environment.tfvars" -var=delete_data=true "$@"
fi

# The data, and what it hangs on: a destroy takes along whatever depends on its targets.
kept='module\.(lake|source_key(\[0\])?|source_secret\["[^"]*"\])\.|module\.snowflake\.snowflake_(database|schema|account_role|execute\.(meta|keeps_data))|module\.snowflake\.terraform_data\.keeps_data|module\.topic\["object-events"\]\.google_pubsub_topic\.this$|module\.project\.(google_(project_service|kms_)|time_sleep\.)'
terraform state list | grep -vE "^($kept)|(^|\.)data\." >.targets || true
if [ ! -s .targets ]; then # without a target everything would be meant
  rm .targets
  echo "Nothing is left but the data."
  exit 0
fi
while read -r address; do
  set -- "$@" "-target=$address"
done <.targets
rm .targets
echo "Keeping the lake, the quarantine, the database of Snowflake and the keys of the sources."
terraform destroy -var-file="envs/$environment.tfvars" "$@"
