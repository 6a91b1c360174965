"""Plumbline on SageMaker: what is asked of AWS is planned as data, shown, and then carried out.

    options → plan.py → Plan → aws.py performs it
                         └──→ shown by --dry-run, validated by tests, turned into an IAM policy

`deploy.py` is the door. Nothing here imports the server; its command line is called instead.
"""
