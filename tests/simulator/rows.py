"""Rows as the API shows them: pass only the values that the test is about."""


def commit(name: str, at: str, **other: object) -> dict[str, object]:
    row = {
        "commitHash": name,
        "userId": "user_001",
        "userEmail": "ann@example.com",
        "userName": "Ann",
        "repoName": "acme/web",
        "branchName": "main",
        "isPrimaryBranch": True,
        "totalLinesAdded": 10,
        "totalLinesDeleted": 1,
        "tabLinesAdded": 2,
        "tabLinesDeleted": 0,
        "composerLinesAdded": 1,
        "composerLinesDeleted": 0,
        "nonAiLinesAdded": 7,
        "nonAiLinesDeleted": 1,
        "message": "fix: a < b, c",
        "commitTs": at,
        "createdAt": at,
    }
    return row | other


def pull(number: int, created_at: str, **other: object) -> dict[str, object]:
    row = {
        "id": 100 + number,
        "number": number,
        "title": "feat: something",
        "state": "open",
        "author_id": "user_001",
        "author_email": "ann@example.com",
        "repo_name": "acme/web",
        "head_branch": "feature/x",
        "reviewers": None,
        "additions": 10,
        "deletions": 2,
        "changed_files": 1,
        "commit_count": 1,
        "created_at": created_at,
        "updated_at": created_at,
        "was_reverted": False,
        "is_bug_fix": False,
    }
    return row | other


def review(key: int, pr_id: int, submitted_at: str, **other: object) -> dict[str, object]:
    row = {
        "id": key,
        "pr_id": pr_id,
        "reviewer": "bob@example.com",
        "state": "approved",
        "submitted_at": submitted_at,
    }
    return row | other
